//! The decision matrix: which slots of a checklist a house must fill, and with
//! which scenario.

use super::check_scenarios::side_of;
use super::{
    Catalogue, Cells, Combination, Flow, Procedure, Programme, Requirement, RequirementKind, Side,
};

/// What a house's software supports, as far as the matrix asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Flows it supports.
    pub flows: Vec<Flow>,
    /// Procedures it supports.
    pub procedures: Vec<Procedure>,
    /// The combination followed throughout; needed with both procedures.
    pub combination: Option<Combination>,
    /// The side whose scenario is chosen where either is enough.
    pub side: Side,
}

/// Whether and how a slot of the checklist applies to a house.
#[derive(Clone, Debug)]
pub struct Applicable<'a> {
    /// The slot.
    pub requirement: &'a Requirement,
    /// Whether the house must (or, for a recommended one, may usefully) fill
    /// it.
    pub applies: bool,
    /// Why, in a sentence for people.
    pub reason: String,
    /// The scenarios of which any one is enough; the cell the house's
    /// procedures lead to, even where the slot does not apply.
    pub any_of: Vec<String>,
    /// The scenario of the house's side.
    pub chosen: Option<String>,
}

/// Capabilities the matrix has no answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// Neither normal nor simplified.
    #[error("the software supports no procedure: give `normal`, `simplified` or both")]
    NoProcedure,
    /// Both, and no combination.
    #[error(
        "software with both procedures follows one combination throughout: choose `A` or `B` (checklist, appendix A)"
    )]
    NoCombination,
}

/// A column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The normal procedure alone.
    Normal,
    /// The simplified procedure alone.
    Simplified,
    /// Both procedures, combination A.
    BothA,
    /// Both procedures, combination B.
    BothB,
}

impl Column {
    /// All of them, in the form's order.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Simplified, Self::BothA, Self::BothB];

    /// The column of a house.
    ///
    /// # Errors
    /// When the capabilities do not say which.
    pub fn of(capabilities: &Capabilities) -> Result<Self, RequirementError> {
        let has = |procedure| capabilities.procedures.contains(&procedure);
        match (has(Procedure::Normal), has(Procedure::Simplified), capabilities.combination) {
            (false, false, _) => Err(RequirementError::NoProcedure),
            (true, false, _) => Ok(Self::Normal),
            (false, true, _) => Ok(Self::Simplified),
            (true, true, Some(Combination::A)) => Ok(Self::BothA),
            (true, true, Some(Combination::B)) => Ok(Self::BothB),
            (true, true, None) => Err(RequirementError::NoCombination),
        }
    }

    /// For people: `the normal procedure alone`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Normal => "the normal procedure alone",
            Self::Simplified => "the simplified procedure alone",
            Self::BothA => "both procedures, combination A",
            Self::BothB => "both procedures, combination B",
        }
    }

    /// The scenarios in this column of a row, of which one is enough.
    pub fn cell(self, cells: &Cells) -> &[String] {
        match self {
            Self::Normal => &cells.normal,
            Self::Simplified => &cells.simplified,
            Self::BothA => &cells.both_a,
            Self::BothB => &cells.both_b,
        }
    }
}

/// Every slot of a programme's checklist, in its order, and whether it
/// applies.
///
/// # Errors
/// When the programme's matrix depends on the procedures and the capabilities
/// do not say which column holds.
pub fn applicable<'a>(
    programme: &'a Programme,
    catalogue: &Catalogue,
    capabilities: &Capabilities,
) -> Result<Vec<Applicable<'a>>, RequirementError> {
    let column = Column::of(capabilities);
    let mut out: Vec<Applicable<'a>> = Vec::new();
    for requirement in &programme.requirement {
        let by_procedure = requirement.any_of.any.is_empty();
        let any_of = if by_procedure {
            column?.cell(&requirement.any_of).to_vec()
        } else {
            requirement.any_of.any.clone()
        };
        let of_house = |id: &&String| {
            let known = catalogue.scenario(&programme.id, id).map(|scenario| scenario.side);
            known.or_else(|| side_of(id)) == Some(capabilities.side)
        };
        let chosen = any_of.iter().find(of_house).cloned();
        let taken_by = out.iter().find(|earlier| {
            earlier.applies
                && earlier.requirement.kind == RequirementKind::Mandatory
                && earlier.chosen.is_some()
                && earlier.chosen == chosen
        });

        let flow = requirement.flow;
        let procedure = requirement.procedure;
        // Asking for balances is a programme of its own, not a flow of movements
        // that a house lists.
        let lacks_flow = flow
            .filter(|flow| *flow != Flow::GuaranteeBalance && !capabilities.flows.contains(flow));
        let lacks_procedure = procedure.filter(|p| !capabilities.procedures.contains(p));
        let recommended = requirement.kind == RequirementKind::Recommended;
        let (applies, reason) = if let Some(flow) = lacks_flow {
            (false, format!("the software does not do {}", plural(flow)))
        } else if let Some(procedure) = lacks_procedure {
            (false, format!("the software does not do the {} procedure", procedure.as_str()))
        } else if let Some(taken) = taken_by.filter(|_| recommended) {
            let id = chosen.as_deref().unwrap_or_default();
            (false, format!("`{id}` is already required, for `{}`", taken.requirement.id))
        } else {
            (true, why(flow, procedure, by_procedure, column, capabilities))
        };
        out.push(Applicable { requirement, applies, reason, any_of, chosen });
    }
    Ok(out)
}

fn why(
    flow: Option<Flow>,
    procedure: Option<Procedure>,
    by_procedure: bool,
    column: Result<Column, RequirementError>,
    capabilities: &Capabilities,
) -> String {
    let Some(flow) = flow else {
        let departs = [Flow::StandardDeparture, Flow::PreLodgedDeparture]
            .iter()
            .any(|flow| capabilities.flows.contains(flow));
        return match departs {
            true => "every house must show it".into(),
            // NCTS6 asks all for an outbound movement.
            false => "every house must show it, also one whose software does no departures".into(),
        };
    };
    let flow = plural(flow);
    match (procedure, column) {
        (Some(procedure), _) => {
            format!("the software does {flow} in the {} procedure", procedure.as_str())
        }
        (None, Ok(column)) if by_procedure => {
            format!("the software does {flow}, with {}", column.words())
        }
        _ => format!("the software does {flow}"),
    }
}

fn plural(flow: Flow) -> &'static str {
    match flow {
        Flow::StandardDeparture => "standard departures",
        Flow::PreLodgedDeparture => "pre-lodged departures",
        Flow::Arrival => "arrivals",
        Flow::GuaranteeBalance => "guarantee balance queries",
    }
}
