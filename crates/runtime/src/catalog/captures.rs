//! Reading one capture.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{
    Binding, Capture, Config, Endpoint, Warning,
    error::{CatalogError, Hint, Location, Problems},
    inline,
    source::{Files, Source, Spot},
};

/// How often a capture that exits is started again, if its definition does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

const SHARD_MEMBERS: [&str; 7] = [
    "logLevel",
    "minTxnDuration",
    "maxTxnDuration",
    "ringBufferSize",
    "readChannelSize",
    "hotStandbys",
    "flags",
];

/// What reading a capture needs besides its text.
pub(super) struct Context<'c> {
    pub(super) files: &'c Files,
    pub(super) problems: &'c mut Problems,
    pub(super) warnings: &'c mut Vec<Warning>,
    /// Where each enabled binding names its collection, to be looked up once all files are read.
    pub(super) targets: &'c mut Vec<(Location, String)>,
}

/// A binding as it stands in the file.
struct Read {
    disabled: bool,
    binding: Binding,
    target: Location,
}

/// Reads a capture; `None` if it is marked as deleted, or if what is wrong with it has been told.
///
/// # Source
/// Flow's catalog: the members that exist; all others are refused.
pub(super) fn read(name: &str, spot: &Spot<'_>, context: &mut Context<'_>) -> Option<Capture> {
    let mut members = spot.members(context.problems)?;
    let endpoint = members.require(
        "endpoint",
        Hint::new("add `endpoint: { local: … }`"),
        context.problems,
    );
    let bindings = members.take_filled("bindings");
    let interval = members.take("interval");
    let shards = members.take_filled("shards");
    let discover = members.take_filled("autoDiscover");
    let deleted = members
        .take("delete")
        .and_then(|spot| spot.boolean(context.problems))
        == Some(true);
    members.accept(&["redactSalt", "expectPubId"]);
    members.finish(context.problems);
    if let Some(discover) = discover {
        auto_discover(&discover, context.problems);
    }
    if let Some(shards) = shards {
        read_shards(name, &shards, context);
    }
    let interval = match interval {
        Some(spot) => spot.duration(context.problems),
        None => Some(DEFAULT_INTERVAL),
    };
    let bindings = bindings.map_or_else(|| Some(Vec::new()), |spot| read_bindings(&spot, context));
    let endpoint = read_endpoint(&endpoint?, context);
    if deleted {
        let message = format!("capture `{name}` is marked `delete: true` and is left out");
        context.warnings.push(Warning {
            message,
            location: Some(spot.location()),
        });
        return None;
    }
    let (disabled, enabled): (Vec<_>, Vec<_>) =
        bindings?.into_iter().partition(|read| read.disabled);
    context.targets.extend(
        enabled
            .iter()
            .map(|read| (read.target.clone(), read.binding.target.clone())),
    );
    let bindings: Vec<Binding> = enabled.into_iter().map(|read| read.binding).collect();
    let disabled = disabled.into_iter().map(|read| read.binding).collect();
    distinct(&bindings, context.problems);
    Some(Capture {
        name: name.to_owned(),
        endpoint: endpoint?,
        bindings,
        disabled,
        interval: interval?,
        location: spot.location(),
    })
}

fn auto_discover(spot: &Spot<'_>, problems: &mut Problems) {
    if let Some(mut members) = spot.members(problems) {
        for name in ["addNewBindings", "evolveIncompatibleCollections"] {
            members.take(name).and_then(|spot| spot.boolean(problems));
        }
        members.finish(problems);
    }
}

fn read_shards(name: &str, spot: &Spot<'_>, context: &mut Context<'_>) {
    let Some(mut members) = spot.members(context.problems) else {
        return;
    };
    let disable = members.take("disable");
    members.accept(&SHARD_MEMBERS);
    members.finish(context.problems);
    // Running what someone switched off, without a word, would be the worst way to not support it.
    if let Some(disable) = disable
        && disable.boolean(context.problems) == Some(true)
    {
        let message = format!(
            "capture `{name}` has `shards.disable: true`, which this version does not act on"
        );
        context.warnings.push(Warning {
            message,
            location: Some(disable.location()),
        });
    }
}

fn read_endpoint(spot: &Spot<'_>, context: &mut Context<'_>) -> Option<Endpoint> {
    let mut members = spot.members(context.problems)?;
    let local = members.take("local");
    let connector = members.take("connector");
    members.finish(context.problems);
    match (local, connector) {
        (Some(local), None) => read_local(&local, context),
        (None, Some(connector)) => read_image(&connector, context),
        (Some(_), Some(_)) => {
            context.problems.push(CatalogError::Unexpected {
                at: spot.at(),
                expected: "one of `local` and `connector`",
                found: "both".to_owned(),
                hint: Hint::new("keep one of the two"),
            });
            None
        }
        (None, None) => {
            let hint = Hint::new("add `local: { command: [my-connector], config: {} }`");
            context.problems.push(CatalogError::MissingMember {
                at: spot.at(),
                name: "local",
                hint,
            });
            None
        }
    }
}

fn read_local(spot: &Spot<'_>, context: &mut Context<'_>) -> Option<Endpoint> {
    let mut members = spot.members(context.problems)?;
    let command = members.require(
        "command",
        Hint::new("add `command: [my-connector]`"),
        context.problems,
    );
    let config = members.require("config", Hint::new("add `config: {}`"), context.problems);
    let env = members.take_filled("env");
    let protobuf = members.take("protobuf");
    members.finish(context.problems);
    let command = command.and_then(|spot| read_command(&spot, context.problems));
    let config = config.and_then(|spot| read_config(spot, context));
    let env = env.map_or_else(
        || Some(BTreeMap::new()),
        |spot| read_env(&spot, context.problems),
    );
    let protobuf = protobuf.map_or(Some(false), |spot| spot.boolean(context.problems));
    Some(Endpoint::Local {
        command: command?,
        dir: spot.source.dir.clone(),
        config: config?,
        env: env?,
        protobuf: protobuf?,
    })
}

fn read_image(spot: &Spot<'_>, context: &mut Context<'_>) -> Option<Endpoint> {
    let mut members = spot.members(context.problems)?;
    let image = members.require(
        "image",
        Hint::new("add `image: registry/name:tag`"),
        context.problems,
    );
    let config = members.require("config", Hint::new("add `config: {}`"), context.problems);
    members.finish(context.problems);
    let image = image.and_then(|spot| spot.string(context.problems));
    let config = config.and_then(|spot| read_config(spot, context));
    Some(Endpoint::Image {
        image: image?.to_owned(),
        config: config?,
    })
}

/// Reads a command; its program becomes absolute if it is a path, and stays a name if it is one.
pub(super) fn read_command(spot: &Spot<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    const EXPECTED: &str = "a list of strings, the program first";
    let super::node::Kind::List(_) = spot.node.kind else {
        problems.push(spot.unexpected(EXPECTED, Hint::new("write it as `[my-connector, --flag]`")));
        return None;
    };
    let words = spot.list(problems)?;
    let read: Vec<Option<&str>> = words.iter().map(|word| word.string(problems)).collect();
    let mut command: Vec<String> = read
        .into_iter()
        .map(|word| word.map(str::to_owned))
        .collect::<Option<_>>()?;
    match command.first_mut().filter(|program| !program.is_empty()) {
        Some(program) => *program = resolve_program(program, spot.source),
        None => {
            let hint = Hint::new("name the program of the connector");
            let found = "none".to_owned();
            problems.push(CatalogError::Unexpected {
                at: spot.at(),
                expected: EXPECTED,
                found,
                hint,
            });
            return None;
        }
    }
    Some(command)
}

/// A program with a slash is beside the file that names it; a bare name is looked up where programs are.
fn resolve_program(program: &str, source: &Source) -> String {
    if !program.contains('/') {
        return program.to_owned();
    }
    let relative = program.strip_prefix("./").unwrap_or(program);
    // A directory that is not Unicode cannot be told in a command of strings; the program then stays relative.
    source
        .dir
        .join(Path::new(relative))
        .into_os_string()
        .into_string()
        .unwrap_or_else(|_| program.to_owned())
}

fn read_env(spot: &Spot<'_>, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let entries = spot.entries(problems)?;
    let read: Vec<_> = entries
        .iter()
        .map(|(name, spot)| {
            if name.is_empty() || name.contains(['=', '\0']) {
                problems.push(CatalogError::Unexpected {
                    at: spot.at(),
                    expected: "the name of an environment variable",
                    found: "something else".to_owned(),
                    hint: Hint::none(),
                });
                return None;
            }
            Some(((*name).to_owned(), spot.string(problems)?.to_owned()))
        })
        .collect();
    read.into_iter().collect()
}

fn read_config(spot: Spot<'_>, context: &mut Context<'_>) -> Option<Config> {
    let config = inline::mapping(spot, "config", context.files, context.problems)?;
    let spot = config.spot();
    if spot.node.member("sops").is_some() {
        context
            .problems
            .push(CatalogError::EncryptedConfig { at: spot.at() });
        return None;
    }
    Some(Config::new(&spot.node.to_value()))
}

fn read_bindings(spot: &Spot<'_>, context: &mut Context<'_>) -> Option<Vec<Read>> {
    let read: Vec<_> = spot
        .list(context.problems)?
        .iter()
        .map(|spot| read_binding(spot, context))
        .collect();
    read.into_iter().collect()
}

fn read_binding(spot: &Spot<'_>, context: &mut Context<'_>) -> Option<Read> {
    let mut members = spot.members(context.problems)?;
    let resource = members.require("resource", Hint::none(), context.problems);
    let target = members.require(
        "target",
        Hint::new("name the collection that it writes to"),
        context.problems,
    );
    let disable = members.take("disable");
    let backfill = members.take("backfill");
    members.finish(context.problems);
    let resource = resource.and_then(|spot| {
        Some(
            inline::mapping(spot, "resource", context.files, context.problems)?
                .spot()
                .node
                .to_value(),
        )
    });
    let target_at = target.as_ref().map(Spot::location);
    let target = target.and_then(|spot| spot.string(context.problems));
    let disable = disable.map_or(Some(false), |spot| spot.boolean(context.problems));
    let backfill = backfill.map_or(Some(0), |spot| spot.counter(context.problems));
    let binding = Binding {
        resource: resource?,
        target: target?.to_owned(),
        backfill: backfill?,
        location: spot.location(),
    };
    Some(Read {
        disabled: disable?,
        binding,
        target: target_at?,
    })
}

/// Two enabled bindings of one resource would share one state.
fn distinct(bindings: &[Binding], problems: &mut Problems) {
    let mut seen: BTreeMap<String, &Binding> = BTreeMap::new();
    for binding in bindings {
        if let Some(first) = seen.get(&binding.resource.to_string()) {
            problems.push(CatalogError::DuplicateBinding {
                at: Box::new(binding.location.clone()),
                other: Box::new(first.location.clone()),
            });
        } else {
            seen.insert(binding.resource.to_string(), binding);
        }
    }
}
