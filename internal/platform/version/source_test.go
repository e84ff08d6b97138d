package version

import "testing"

// TestSource_PrefersLinkerValues sets the variables that the linker would set.
func TestSource_PrefersLinkerValues(t *testing.T) {
	defer func() { Commit, Date = "", "" }()
	Commit, Date = "abc", "2026-01-02T03:04:05Z"
	if commit, date := Source(); commit != "abc" || date != "2026-01-02T03:04:05Z" {
		t.Errorf("built from %s of %s", commit, date)
	}
}
