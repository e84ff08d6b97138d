package diagnosis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
)

func TestPrintGroups(t *testing.T) {
	result := diagnosis.Group("mesh osm",
		diagnosis.Group("One", diagnosis.Pass("fine"), diagnosis.Fail("repair it", "broken")),
		diagnosis.Group("Two"))
	const want = `One
  [ok]      fine
  [error]   broken
            -> repair it

Two

Status: error
`
	var text strings.Builder
	if err := result.PrintGroups(&text); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrintSteps(t *testing.T) {
	step := func(check string, f diagnosis.Finding) diagnosis.Finding {
		f.Check = check
		return f
	}
	result := diagnosis.Group("all",
		step("one", diagnosis.Pass("since Monday")),
		diagnosis.Group("two", step("inner", diagnosis.Unread("pods", errors.New("timeout"))), step("outer", diagnosis.Fail("repair it", "it is\nbroken"))),
		diagnosis.Group("three", step("inner", diagnosis.Unread("pods", errors.New("timeout")))))
	const want = `[+] Context: all
Status: Failure
Reason: A verification step failed
Suggestion: Follow the suggestions of the failed steps below

    [+] Context: one: since Monday
    Status: Success

    [+] Context: two
    Status: Failure
    Reason: A verification step failed
    Suggestion: Follow the suggestions of the failed steps below

        [+] Context: inner
        Status: Unknown
        Reason: could not read pods: timeout

        [+] Context: outer
        Status: Failure
        Reason: it is
          broken
        Suggestion: repair it

    [+] Context: three
    Status: Unknown
    Reason: A verification step could not be run

        [+] Context: inner
        Status: Unknown
        Reason: could not read pods: timeout
`
	var text strings.Builder
	if err := result.PrintSteps(&text); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
