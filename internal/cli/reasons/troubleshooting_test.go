package reasons_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/reasons"
)

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// docs/troubleshooting.md names each reason at the condition that has it.
func TestTroubleshootingHasEachReason(t *testing.T) {
	page := readText(t, "../../../docs/troubleshooting.md")
	for _, reason := range reasons.All() {
		if !regexp.MustCompile(`\b` + reason.Code + `\b`).MatchString(page) {
			t.Errorf("docs/troubleshooting.md does not contain the reason %s of %s", reason.Code, reason.On)
		}
	}
}

func TestTroubleshootingHasEachCondition(t *testing.T) {
	page := readText(t, "../../../docs/troubleshooting.md")
	declaration := regexp.MustCompile(`(?m)^\tCondition\w+ += "(\w+)"`)
	for _, file := range []string{"../../../api/operator/v1alpha1/conditions.go", "../../mesh/kinds/conditions.go"} {
		found := declaration.FindAllStringSubmatch(readText(t, file), -1)
		if len(found) < 4 {
			t.Errorf("%s declares %d conditions: has the form changed?", file, len(found))
		}
		for _, match := range found {
			if !regexp.MustCompile("(?m)^\\| `" + match[1] + "` \\|").MatchString(page) {
				t.Errorf("docs/troubleshooting.md has no row for the condition %s of %s", match[1], file)
			}
		}
	}
}
