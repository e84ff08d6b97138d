package programs

import (
	"os"
	"strings"
	"testing"
)

// The table in the documentation has each program with the version that was run and the settings that the test uses.
func TestDocumentationHasEachProgram(t *testing.T) {
	text, err := os.ReadFile("../../docs/applications.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	if rows != len(programs()) {
		t.Errorf("docs/applications.md has %d programs, the test %d", rows, len(programs()))
	}
	for _, p := range programs() {
		_, row, found := strings.Cut(string(text), "\n| `"+p.name+"` | "+p.version+" |")
		row, _, _ = strings.Cut(row, "\n")
		if !found {
			t.Errorf("docs/applications.md has no row of %s %s", p.name, p.version)
		}
		for _, s := range p.settings {
			if !strings.Contains(row, s.docs) {
				t.Errorf("the row of %s does not say %s", p.name, s.docs)
			}
		}
		if len(p.settings) == 0 && !strings.Contains(row, "| nothing") {
			t.Errorf("the row of %s says that something must be set, and the test sets nothing", p.name)
		}
	}
}
