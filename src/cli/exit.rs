//! The exit codes, and which one wins where several hold.

use std::process::ExitCode;

use crate::error::Fault;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exit {
    /// 0: done, and nothing that was asked to fail failed.
    #[default]
    Done,
    /// 1: the service is judged bad.
    Bad,
    /// 2: wrong usage or configuration, or a condition that cannot be judged.
    Usage,
    /// 3: some input could not be read, or some output not written.
    Unread,
    /// 4: the state file is held by another writer, or newer than this program.
    State,
}

impl Exit {
    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bad => 1,
            Self::Usage => 2,
            Self::Unread => 3,
            Self::State => 4,
        }
    }

    /// The one that is told where both hold: 2 before 4 before 3 before 1 before 0.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Done => 0,
            Self::Bad => 1,
            Self::Unread => 2,
            Self::State => 3,
            Self::Usage => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Fault> for Exit {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Usage => Self::Usage,
            Fault::Input | Fault::Output => Self::Unread,
            Fault::State => Self::State,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_hold_the_order_is_two_four_three_one() {
        let order = [Exit::Usage, Exit::State, Exit::Unread, Exit::Bad, Exit::Done];
        assert_eq!([2, 4, 3, 1, 0], order.map(Exit::code));
        for (at, &graver) in order.iter().enumerate() {
            for &milder in &order[at..] {
                assert_eq!(graver, graver.and(milder));
                assert_eq!(graver, milder.and(graver));
            }
        }
    }
}
