package threats_test

import (
	"cmp"
	"regexp"
	"testing"
)

// behaviours are numbered behaviours that a test with the number in its name holds: TestAudit<number>... O is the operator, P the path of
// configuration to sidecars, S security, T the tests themselves, U what users see.
var behaviours = []string{
	"O1", "O2", "O4", "O5", "O6", "O7", "O8", "O9", "O10", "O11", "O12", "O13", "O14", "O15",
	"P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15", "P16",
	"S1", "S2", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16", "S17", "S18",
	"U1", "U2", "U3", "U4", "U5", "U6", "U7", "U8", "U9", "U10", "U11", "U12", "U13", "U14", "U15", "U16", "U17",
	"T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9",
}

// sameAs has the numbers whose behaviour another number has.
var sameAs = map[string]string{"P10": "S1", "P12": "S4"}

// TestEveryBehaviourHasATest finds a test, or a part of a test, for each number. A number without one was renamed or removed.
func TestEveryBehaviourHasATest(t *testing.T) {
	numbered := regexp.MustCompile(`^[Tt]estAudit([OPSTU]\d+)`)
	found := map[string]bool{}
	for name := range allTests(t) {
		if number := numbered.FindStringSubmatch(name); number != nil {
			found[number[1]] = true
		}
	}
	for _, number := range behaviours {
		name := cmp.Or(sameAs[number], number)
		if !found[name] {
			t.Errorf("no test is named TestAudit%s...", name)
		}
	}
}
