//! Laying tables of test data over each other.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The key under which a part, a column or a group names the parts it uses.
const USE: &str = "use";

/// How deep parts may use parts, and files extend files.
pub(super) const DEPTH_LIMIT: usize = 20;

/// A part or column, or a group inside one, with the parts it uses laid down
/// first.
///
/// # Errors
/// A part that is not there, or parts that use each other in a circle.
pub(super) fn expand(
    table: &Map<String, Value>,
    parts: &BTreeMap<&str, Map<String, Value>>,
    depth: usize,
) -> Result<Map<String, Value>, String> {
    if depth > DEPTH_LIMIT {
        return Err("its parts use each other in a circle".into());
    }
    let mut out = Map::new();
    let mut own = table.clone();
    if let Some(used) = own.remove(USE) {
        let Value::Array(names) = used else {
            return Err("`use` is not a list of parts".into());
        };
        for name in names {
            let Some(name) = name.as_str() else {
                return Err("`use` is not a list of parts".into());
            };
            let part = parts.get(name).ok_or_else(|| format!("there is no part `{name}`"))?;
            lay_over(&mut out, &expand(part, parts, depth + 1)?);
        }
    }
    for value in own.values_mut() {
        let single = std::slice::from_mut(value);
        let groups = match single {
            [Value::Array(groups)] => groups.as_mut_slice(),
            single => single,
        };
        for group in groups {
            if let Value::Object(table) = group {
                *table = expand(table, parts, depth)?;
            }
        }
    }
    lay_over(&mut out, &own);
    Ok(out)
}

/// Lays `over` on `base`: tables join key by key, lists of used parts are
/// appended, anything else is replaced.
pub(super) fn lay_over(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => lay_over(below, above),
            (Some(Value::Array(below)), Value::Array(above)) if key == USE => {
                below.extend(above.iter().cloned());
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}
