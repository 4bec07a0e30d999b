//! Every message once before anything is sent: a wrong file shows before a run
//! depends on it.

use std::collections::BTreeSet;

use super::batch::{Batch, BatchError, Job};
use super::report::HeldBack;
use super::slot;
use super::state::State;
use crate::hmrc::uploads;
use crate::ncts::build::Stamp;
use crate::payload::PayloadError;

/// Stands for the MRN that a run does not have yet.
const MRN: &str = "26GB000246AL65TIJ5";

impl Batch<'_> {
    /// Builds and judges every message once before anything is sent, so that a
    /// wrong file shows before a run depends on it. A run with a message that
    /// is not valid, or leads elsewhere than its scenario, is held back; the
    /// others are returned.
    pub(super) fn rehearse_payloads(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, BatchError> {
        let mut notes = BTreeSet::new();
        let mut sound = Vec::new();
        for job in jobs {
            match self.rehearse(&job, &mut notes) {
                Ok(()) => sound.push(job),
                Err(BatchError::Payload(
                    error @ (PayloadError::Invalid { .. }
                    | PayloadError::Contradicts { .. }
                    | PayloadError::TooLarge { .. }),
                )) => {
                    self.held_back.push(HeldBack {
                        programme: job.programme.id,
                        scenario: job.scenario.id,
                        run: job.resume,
                        reason: error.to_string(),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        notes.iter().for_each(|note| self.watcher.note(note));
        Ok(sound)
    }

    /// The same for one run; what it has sent already is past.
    fn rehearse(&self, job: &Job, notes: &mut BTreeSet<String>) -> Result<(), BatchError> {
        let now = self.clock.now();
        let sent: BTreeSet<u32> = match job.resume {
            Some(run) => State::fold(&self.store.read()?.events(run)?).sent.into_keys().collect(),
            None => BTreeSet::new(),
        };
        for (step, number) in job.scenario.step.iter().zip(1..) {
            let Some(message) = step.send.filter(|_| !sent.contains(&number)) else { continue };
            let stamp = Stamp {
                message,
                lrn: slot::new_lrn(&job.scenario.id, now),
                mrn: Some(MRN.into()),
                message_identification: slot::new_message_identification(),
                message_sender: self.options.message_sender.clone(),
                now,
            };
            let payload = self.payloads.to_send(&job.programme, &job.scenario, number, &stamp)?;
            if payload.xml.len() > uploads::LARGE {
                return Err(PayloadError::TooLarge { origin: payload.origin }.into());
            }
            notes.extend(payload.notes);
            if let Some(check) = payload.check.filter(|check| !check.violations.is_empty()) {
                notes.insert(format!(
                    "{} step {number} sends an {message} that is not valid, on purpose \
                     (violations: {})",
                    job.scenario.id,
                    check.violations.len()
                ));
            }
        }
        Ok(())
    }
}
