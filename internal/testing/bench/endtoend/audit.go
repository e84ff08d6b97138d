package endtoend

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

func newAudit(dir string) (audit, error) {
	a := audit{log: filepath.Join(dir, "audit.log"), policy: filepath.Join(dir, "audit-policy.yaml")}
	return a, os.WriteFile(a.policy, []byte(auditPolicy), 0o600)
}

// requests counts the requests so far, except watches and those for Leases, which do not depend on events.
func (a audit) requests() (int, error) {
	file, err := os.Open(a.log)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // before the first request
	}
	if err != nil {
		return 0, err
	}
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
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return 0, fmt.Errorf("the log of the API server cannot be read: %w", err)
		}
		if line.Verb != "watch" && line.ObjectRef.Resource != "leases" {
			count++
		}
	}
	return count, lines.Err()
}
