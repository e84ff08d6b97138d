package reasons_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/reasons"
)

// success are the reasons of success, which need no explanation.
var success = []string{
	"Ready", "Applied", "CertificatesValid", "ReplicasReady", "Accepted", "ResolvedRefs", "ServiceAnswers", "ComponentsReady", "PeersReady", "TrustDistributed", "UpToDate", "Idle",
	"Trusted", "Connected", "Compatible", "Valid", "Exported",
}

// explainedReasons returns the reasons that have an explanation.
func explainedReasons(t *testing.T) map[string]bool {
	t.Helper()
	explained := map[string]bool{}
	for _, r := range reasons.All() {
		if explained[r.Code] {
			t.Errorf("%s is explained twice", r.Code)
		}
		explained[r.Code] = true
	}
	return explained
}

// Every reason that the code has is explained.
func TestComplete(t *testing.T) {
	explained := explainedReasons(t)
	declaration := regexp.MustCompile(`(?m)^(?:\t|const )Reason\w+\s+= "(\w+)"`)
	for _, file := range []string{
		"../../mesh/ingest/problem.go", "../../mesh/kinds/conditions.go", "../../../api/operator/v1alpha1/conditions.go", "../../../controllers/controlplane/peers/reasons.go",
		"../../mesh/finding/finding.go",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := declaration.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s declares no reasons: has the form changed?", file)
		}
		for _, match := range found {
			if !explained[match[1]] && !slices.Contains(success, match[1]) {
				t.Errorf("%s of %s is not explained", match[1], file)
			}
		}
	}
}

// Every reason of an Event of the operator is explained.
func TestEventsAreComplete(t *testing.T) {
	explained, found := explainedReasons(t), 0
	recorded := regexp.MustCompile(`(?s)corev1\.EventType\w+, "(\w+)"|\n\t\w+ Outcome = "(\w+)"|\n\tevent\w+ += "(\w+)"`)
	for _, folder := range []string{"../../../controllers/operator", "../../operator"} {
		err := filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return err
			}
			for _, match := range recorded.FindAllStringSubmatch(readText(t, file), -1) {
				found++
				if reason := match[1] + match[2] + match[3]; !explained[reason] && reason != "Unchanged" {
					t.Errorf("%s of %s is not explained", reason, file)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 20 {
		t.Errorf("found %d reasons: has the form changed?", found)
	}
}
