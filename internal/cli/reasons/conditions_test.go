package reasons_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/reasons"
)

// TestEachConditionHasAGoodStatus compares docs/reference/conditions.md with the declared conditions.
func TestEachConditionHasAGoodStatus(t *testing.T) {
	page := readText(t, "../../../docs/reference/conditions.md")
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(page, -1) {
		documented[row[1]] = row[2]
	}
	declared := regexp.MustCompile(`(?m)^\tCondition\w+ += "(\w+)"`).FindAllStringSubmatch(readText(t, "../../../api/operator/v1alpha1/conditions.go"), -1)
	if len(declared) < 10 {
		t.Fatalf("%d conditions are declared: has the form changed?", len(declared))
	}
	for _, condition := range declared {
		status := documented[condition[1]]
		if !regexp.MustCompile(`^(True|absent|True, or absent (with|if) .+|False with the reason .+)$`).MatchString(status) {
			t.Errorf("the good status of %s is documented as %q", condition[1], status)
		}
		delete(documented, condition[1])
	}
	for condition := range documented {
		t.Errorf("%s is documented and not declared", condition)
	}
}

// TestReasonsOfUpgradingAreDocumented checks that the meanings of Upgrading=False are distinct and documented.
func TestReasonsOfUpgradingAreDocumented(t *testing.T) {
	var row string
	for _, condition := range reasons.Conditions() {
		if condition.Type == "Upgrading" {
			row = condition.Good + condition.Otherwise
		}
	}
	code := readText(t, "../../../controllers/operator/upgrade/conditions.go")
	code = code[strings.Index(code, "func setUpgrading"):strings.Index(code, "// assessDataPlane")]
	used := regexp.MustCompile(`v1alpha1\.Reason(\w+)`).FindAllStringSubmatch(code, -1)
	if len(used) < 8 {
		t.Fatalf("Upgrading has %d reasons: has the form changed?", len(used))
	}
	for _, reason := range used {
		if reason[1] != "Progressing" && !strings.Contains(row, "`"+reason[1]+"`") {
			t.Errorf("the reason %s of Upgrading is not documented", reason[1])
		}
	}
}
