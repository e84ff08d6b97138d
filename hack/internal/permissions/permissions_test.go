package permissions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/hack/internal/permissions"
)

// log has a watch, a request for a subresource, two equal refused requests, a path, an apply that creates, an administrator, and an incomplete
// last line.
const log = `{"stage":"ResponseStarted","verb":"watch","user":{"username":"system:serviceaccount:osm-system:osm-controller"},"objectRef":{"resource":"pods"},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"verb":"patch","user":{"username":"system:serviceaccount:osm-system:osm-controller"},"objectRef":{"apiGroup":"split.smi-spec.io","resource":"trafficsplits","subresource":"status","namespace":"shop","name":"books"},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"verb":"get","user":{"username":"system:serviceaccount:osm-system:osm-controller"},"objectRef":{"resource":"secrets","namespace":"shop","name":"key"},"annotations":{"authorization.k8s.io/decision":"forbid"}}
{"verb":"get","user":{"username":"system:serviceaccount:osm-system:osm-controller"},"objectRef":{"resource":"secrets","namespace":"shop","name":"key"},"annotations":{"authorization.k8s.io/decision":"forbid"}}
{"verb":"get","user":{"username":"system:serviceaccount:shop:app"},"objectRef":{"resource":"secrets","namespace":"shop","name":"key"},"annotations":{"authorization.k8s.io/decision":"forbid"}}
{"verb":"get","requestURI":"/openid/v1/jwks?a=b","user":{"username":"system:serviceaccount:osm-system:osm-controller"},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"verb":"patch","user":{"username":"system:serviceaccount:osm-system:osm-controller"},"objectRef":{"resource":"services","namespace":"shop","name":"made"},"responseStatus":{"code":201},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"verb":"list","user":{"username":"admin"},"objectRef":{"resource":"services"},"annotations":{"authorization.k8s.io/decision":"allow"}}
{"verb":"li`

const roles = `apiVersion: v1
kind: ServiceAccount
metadata: {name: osm-controller}
---
kind: ClusterRole
metadata: {name: osm-controller}
rules:
- apiGroups: [""]
  resources: [pods, services]
  verbs: [create, delete, list, patch, watch]
- apiGroups: [split.smi-spec.io]
  resources: [trafficsplits/status]
  resourceNames: [books, other]
  verbs: [patch]
- nonResourceURLs: [/openid/v1/jwks]
  verbs: [get]
`

func TestCompare(t *testing.T) {
	requests, err := permissions.ReadLog(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"osm-system/osm-controller: get secrets key in shop"}, permissions.Refused(requests, "osm-", nil)); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	expected := []permissions.Expected{{Account: "osm-controller", Verb: "get", Resource: "secrets"}}
	if refused := permissions.Refused(requests, "osm-", expected); len(refused) > 0 {
		t.Errorf("refused %v, want none besides the expected requests", refused)
	}
	file := filepath.Join(t.TempDir(), "roles.yaml")
	if err := os.WriteFile(file, []byte(roles), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := permissions.ReadRoles(file)
	if err != nil {
		t.Fatal(err)
	}
	granted := []permissions.Permission{{Verb: "list", Resource: "services"}}
	want := []string{"create pods", "delete pods", "delete services", "patch pods", "patch trafficsplits/status.split.smi-spec.io other", "watch services"}
	if diff := cmp.Diff(want, permissions.Unused(requests, "osm-controller", held["osm-controller"], granted)); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

func TestEveryExpectedRefusalHasAReason(t *testing.T) {
	if list, err := permissions.ReadExpected(filepath.Join("..", "..", "permissions.yaml")); err != nil || len(list) == 0 {
		t.Errorf("%d entries: %v", len(list), err)
	}
	file := filepath.Join(t.TempDir(), "permissions.yaml")
	if err := os.WriteFile(file, []byte("refused: [{account: osm-controller, verb: get, resource: secrets}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := permissions.ReadExpected(file); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("error %v for an entry without a reason", err)
	}
}

func TestBrokenLog(t *testing.T) {
	if _, err := permissions.ReadLog(strings.NewReader("{}\nnot an event\n")); err == nil || !strings.Contains(err.Error(), "line 2 of the audit log") {
		t.Errorf("error %v, want the line", err)
	}
}
