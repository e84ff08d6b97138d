package reasons_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/reasons"
)

// success are the reasons of success, which need no explanation.
var success = []string{
	"Ready", "Applied", "CertificatesValid", "ReplicasReady", "Accepted", "ResolvedRefs", "ServiceAnswers", "ComponentsReady", "TrustDistributed", "UpToDate", "Idle",
}

// Every reason that the code has is explained.
func TestComplete(t *testing.T) {
	explained := map[string]bool{}
	for _, r := range reasons.All() {
		if explained[r.Code] {
			t.Errorf("%s is explained twice", r.Code)
		}
		explained[r.Code] = true
	}
	declaration := regexp.MustCompile(`(?m)^\tReason\w+\s+= "(\w+)"`)
	for _, file := range []string{"../../ingest/problem.go", "../../../controllers/controlplane/status/conditions.go", "../../../api/operator/v1alpha1/conditions.go"} {
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
