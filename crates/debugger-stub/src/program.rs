//! The program under debug: a small payroll, COBOL in looks, that is really executed, line by line.

use std::collections::BTreeSet;

/// Annual salaries of the built-in employees, in dollars.
const SALARIES: [i64; 4] = [52_000, 61_500, 48_250, 75_000];

/// WORKING-STORAGE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Storage {
    /// Which employee.
    employee: i64,
    /// That employee's salary.
    salary: i64,
    /// That employee's bonus.
    bonus: i64,
    /// Sum of salaries and bonuses.
    total: i64,
    /// Total per employee.
    average: i64,
}

/// Where execution goes after a line.
enum Flow {
    Next,
    To(u32),
    Stop,
}

struct Line {
    number: u32,
    text: &'static str,
    run: fn(&mut Storage) -> Flow,
}

const HEADCOUNT: i64 = SALARIES.len() as i64;

static LINES: [Line; 11] = [
    line(10, "MOVE 1 TO EMPLOYEE", |s| set(&mut s.employee, 1)),
    line(11, "PERFORM UNTIL EMPLOYEE > 4", |s| if s.employee > HEADCOUNT { Flow::To(17) } else { Flow::Next }),
    line(12, "    MOVE SALARIES(EMPLOYEE) TO SALARY", |s| {
        let nth = usize::try_from(s.employee - 1).ok();
        set(&mut s.salary, nth.and_then(|n| SALARIES.get(n)).copied().unwrap_or(0))
    }),
    line(13, "    COMPUTE BONUS = SALARY * 10 / 100", |s| set(&mut s.bonus, s.salary * 10 / 100)),
    line(14, "    ADD SALARY BONUS TO TOTAL", |s| add(&mut s.total, s.salary + s.bonus)),
    line(15, "    ADD 1 TO EMPLOYEE", |s| add(&mut s.employee, 1)),
    line(16, "END-PERFORM", |_| Flow::To(11)),
    line(17, "DIVIDE TOTAL BY 4 GIVING AVERAGE", |s| set(&mut s.average, s.total / HEADCOUNT)),
    line(18, "DISPLAY 'TOTAL ' TOTAL", |_| Flow::Next),
    line(19, "DISPLAY 'AVERAGE ' AVERAGE", |_| Flow::Next),
    line(20, "STOP RUN", |_| Flow::Stop),
];

const fn line(number: u32, text: &'static str, run: fn(&mut Storage) -> Flow) -> Line {
    Line { number, text, run }
}

fn set(variable: &mut i64, value: i64) -> Flow {
    *variable = value;
    Flow::Next
}

fn add(variable: &mut i64, value: i64) -> Flow {
    *variable += value;
    Flow::Next
}

/// The program and how far it has come.
#[derive(Clone, Debug, Default)]
pub struct Program {
    storage: Storage,
    /// Index of the line that is executed next; one past the last when it has ended.
    next: usize,
}

impl Program {
    /// The line that is executed next; `None` after the end.
    pub fn line(&self) -> Option<u32> {
        LINES.get(self.next).map(|line| line.number)
    }

    /// Executes one line.
    pub fn step(&mut self) {
        let Some(line) = LINES.get(self.next) else { return };
        self.next = match (line.run)(&mut self.storage) {
            Flow::Next => self.next + 1,
            Flow::To(number) => index_of(number).unwrap_or(LINES.len()),
            Flow::Stop => LINES.len(),
        };
    }

    /// Executes lines until one of `breakpoints` is next, or to the end. The line that is next now is executed in any case.
    pub fn run(&mut self, breakpoints: &BTreeSet<u32>) {
        loop {
            self.step();
            if self.line().is_none_or(|line| breakpoints.contains(&line)) {
                return;
            }
        }
    }

    /// The variables and their values, in the order of WORKING-STORAGE.
    pub fn variables(&self) -> [(&'static str, i64); 5] {
        let s = &self.storage;
        let Storage { employee, salary, bonus, total, average } = *s;
        [("EMPLOYEE", employee), ("SALARY", salary), ("BONUS", bonus), ("TOTAL", total), ("AVERAGE", average)]
    }

    /// One variable's value.
    pub fn variable(&self, name: &str) -> Option<i64> {
        self.variables().iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// The text of a line, where there is one.
pub fn text_of(number: u32) -> Option<&'static str> {
    index_of(number).map(|index| LINES[index].text)
}

/// The whole source, as `(line number, text)`.
pub fn listing() -> impl Iterator<Item = (u32, &'static str)> {
    LINES.iter().map(|line| (line.number, line.text))
}

fn index_of(number: u32) -> Option<usize> {
    LINES.iter().position(|line| line.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: i64 = (52_000 + 61_500 + 48_250 + 75_000) * 11 / 10;

    fn run_to(program: &mut Program, line: u32) {
        program.run(&BTreeSet::from([line]));
    }

    #[test]
    fn the_payroll_is_really_summed() {
        let mut program = Program::default();
        assert_eq!(program.line(), Some(10));
        run_to(&mut program, 18);
        assert_eq!(program.line(), Some(18));
        assert_eq!(program.variable("total"), Some(TOTAL));
        assert_eq!(program.variable("AVERAGE"), Some(TOTAL / 4));
        assert_eq!(program.variable("EMPLOYEE"), Some(5));
        run_to(&mut program, 11);
        assert_eq!(program.line(), None, "the loop is behind it");
        program.step();
        assert_eq!(program.line(), None);
    }

    #[test]
    fn a_breakpoint_in_the_loop_is_met_once_per_employee() {
        let mut program = Program::default();
        let mut salaries = Vec::new();
        loop {
            run_to(&mut program, 13);
            if program.line().is_none() {
                break;
            }
            salaries.push(program.variable("SALARY").expect("variable"));
        }
        assert_eq!(salaries, SALARIES);
    }

    #[test]
    fn steps_follow_the_table_and_jumps_hit_lines_that_exist() {
        let mut program = Program::default();
        let mut seen = BTreeSet::new();
        while let Some(line) = program.line() {
            seen.insert(line);
            program.step();
        }
        assert_eq!(seen, listing().map(|(number, _)| number).collect(), "every line was executed");
        assert_eq!(text_of(20), Some("STOP RUN"));
        assert_eq!(text_of(21), None);
    }
}
