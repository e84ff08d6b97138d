package endtoend

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// auditPolicy records the requests of the program that is measured.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: Metadata, users: [` + userName + `]}
- {level: None}
`

// audit is the log of an API server about the requests of the program that is measured.
type audit struct{ log, policy string }

func newAudit(b *testing.B) audit {
	b.Helper()
	a := audit{log: filepath.Join(b.TempDir(), "audit.log"), policy: filepath.Join(b.TempDir(), "audit-policy.yaml")}
	must(b, os.WriteFile(a.policy, []byte(auditPolicy), 0o600))
	return a
}

// requests counts the requests so far, except watches and those for Leases, which do not depend on events.
func (a audit) requests(b *testing.B) int {
	b.Helper()
	file, err := os.Open(a.log)
	if errors.Is(err, os.ErrNotExist) {
		return 0 // before the first request
	}
	must(b, err)
	defer file.Close()
	count, lines := 0, bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Verb      string `json:"verb"`
			ObjectRef struct {
				Resource string `json:"resource"`
			} `json:"objectRef"`
		}
		must(b, json.Unmarshal(lines.Bytes(), &line))
		if line.Verb != "watch" && line.ObjectRef.Resource != "leases" {
			count++
		}
	}
	must(b, lines.Err())
	return count
}
