package diagnosis_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
)

// An error is worse than what is not known, and that is worse than a warning.
func TestWorst(t *testing.T) {
	ascending := []diagnosis.Finding{{Severity: diagnosis.OK}, {Severity: diagnosis.Info}, diagnosis.Warn("", ""), {Severity: diagnosis.Unknown}, diagnosis.Fail("", "")}
	for i, f := range ascending {
		if got := diagnosis.Worst(ascending[:i+1]); got != f.Severity {
			t.Errorf("the worst of the first %d is %s", i+1, got)
		}
		if got := diagnosis.Group("title", f, ascending[0]).Severity; got != f.Severity {
			t.Errorf("a group with %s has severity %s", f.Severity, got)
		}
	}
	if got := diagnosis.Worst(nil); got != diagnosis.OK {
		t.Errorf("no findings have severity %s", got)
	}
}

func TestParseSeverity(t *testing.T) {
	for text, want := range map[string]diagnosis.Severity{"info": diagnosis.Info, "WARNING": diagnosis.Warning, "Error": diagnosis.Error, "ok": "", "unknown": "", "": ""} {
		if got, valid := diagnosis.ParseSeverity(text); got != want || valid != (want != "") {
			t.Errorf("%q: %q, %t", text, got, valid)
		}
	}
}
