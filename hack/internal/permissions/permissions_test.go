package permissions_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/hack/internal/permissions"
)

// log has a watch, a request for a subresource, two equal denied requests, a path, an apply that creates, an administrator, and an incomplete
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
---
kind: ClusterRoleBinding
roleRef: {kind: ClusterRole, name: osm-controller}
subjects: [{kind: ServiceAccount, name: osm-controller}, {kind: User, name: somebody}]
---
kind: Role
metadata: {name: lease}
rules:
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [list]
---
kind: RoleBinding
roleRef: {kind: Role, name: lease}
subjects: [{kind: ServiceAccount, name: osm-injector}]
`

func TestCompare(t *testing.T) {
	requests, err := permissions.ReadLog(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"osm-system/osm-controller: get secrets key in shop"}, permissions.Denied(requests, "osm-", nil, nil)); diff != "" {
		t.Errorf("denied (-want +got):\n%s", diff)
	}
	expected := []permissions.Expected{{Account: "osm-controller", Verb: "get", Resource: "secrets"}}
	if denied := permissions.Denied(requests, "osm-", nil, expected); len(denied) > 0 {
		t.Errorf("denied %v, want none besides the expected requests", denied)
	}
	held, all := readAccounts(t)
	granted := []permissions.Permission{{Verb: "list", Resource: "services"}}
	listed := []permissions.Rare{
		{Account: "osm-controller", Verbs: []string{"create", "watch"}, Resources: []string{"pods", "services"}},
		{Account: "osm-injector", Verbs: []string{"delete"}, Resources: []string{"pods"}},
	}
	want := []string{"delete pods", "delete services", "patch pods", "patch trafficsplits/status.split.smi-spec.io other"}
	if diff := cmp.Diff(want, permissions.Unused(requests, "osm-controller", held["osm-controller"], granted, listed)); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
	if unused := permissions.Unused(requests, "osm-controller", held["osm-controller"], all, nil); len(unused) > 0 {
		t.Errorf("unused %v, want none of an account that grants all roles", unused)
	}
	if diff := cmp.Diff(listed[1:], permissions.Stale(listed, held)); diff != "" {
		t.Errorf("entries of permissions that no account has (-want +got):\n%s", diff)
	}
}

// readAccounts returns the permissions in roles.
func readAccounts(t *testing.T) (held map[string][]permissions.Permission, all []permissions.Permission) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roles.yaml")
	if err := os.WriteFile(file, []byte(roles), 0o600); err != nil {
		t.Fatal(err)
	}
	held, all, err := permissions.ReadAccounts(file)
	if err != nil {
		t.Fatal(err)
	}
	return held, all
}

// TestDeletedRoles checks that requests are no fault if the manifests allow them: a test has deleted the role.
func TestDeletedRoles(t *testing.T) {
	held, _ := readAccounts(t)
	injector := permissions.Request{Account: "osm-system/osm-injector", Verb: "list", Group: "coordination.k8s.io", Resource: "leases", Denied: true}
	everywhere := []string{injector.String()}
	if diff := cmp.Diff(everywhere, permissions.Denied([]permissions.Request{injector}, "osm-", held, nil)); diff != "" {
		t.Errorf("denied in all namespaces, which a Role does not allow (-want +got):\n%s", diff)
	}
	injector.Namespace = "osm-system"
	if denied := permissions.Denied([]permissions.Request{injector}, "osm-", held, nil); len(denied) > 0 {
		t.Errorf("denied %v, want none: the Role allows it", denied)
	}
	injector.Account = "osm-system/osm-injector-v0-2-0"
	if denied := permissions.Denied([]permissions.Request{injector}, "osm-", held, nil); len(denied) > 0 {
		t.Errorf("denied %v of a canary, want none: the Role allows it", denied)
	}
}

// TestStartingAPIServerOfAnotherMesh checks that the trust ConfigMap of any mesh is the one in the manifests: an API server that starts rejects the request until it
// has read the role.
func TestStartingAPIServerOfAnotherMesh(t *testing.T) {
	held := map[string][]permissions.Permission{"osm-injector": {{Verb: "watch", Resource: "configmaps", Name: "osm-trust-osm"}}}
	for name, want := range map[string]int{"osm-trust-osm": 0, "osm-trust-outage": 0, "osm-trust": 1, "other": 1} {
		request := permissions.Request{Account: "outage-system/osm-injector", Verb: "watch", Resource: "configmaps", Namespace: "outage-system", Name: name, Denied: true}
		if denied := permissions.Denied([]permissions.Request{request}, "osm-", held, nil); len(denied) != want {
			t.Errorf("%s: denied %v, want %d", name, denied, want)
		}
	}
}

// TestStartingAPIServer checks that discovery, which roles of Kubernetes allow, is no fault of ours.
func TestStartingAPIServer(t *testing.T) {
	for path, want := range map[string]int{"/api": 0, "/apis/gateway.networking.k8s.io/v1": 0, "/version": 0, "/metrics": 1, "/apiary": 1} {
		request := permissions.Request{Account: "osm-system/osm-controller", Verb: "get", Path: path, Denied: true}
		if denied := permissions.Denied([]permissions.Request{request}, "osm-", nil, nil); len(denied) != want {
			t.Errorf("%s: denied %v, want %d", path, denied, want)
		}
	}
}

func TestEveryExplanationHasAReason(t *testing.T) {
	for _, entry := range []string{"denied: [{account: osm-controller, verb: get, resource: secrets}]", "unused: [{account: osm-controller, verbs: [get], resources: [secrets]}]"} {
		file := filepath.Join(t.TempDir(), "permissions.yaml")
		if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := permissions.ReadExplanations(file); err == nil || !strings.Contains(err.Error(), "reason") {
			t.Errorf("error %v for an entry without a reason: %s", err, entry)
		}
	}
}

// TestExplanationsAreCurrent checks that hack/permissions.yaml explains only permissions that the manifests have.
func TestExplanationsAreCurrent(t *testing.T) {
	manifests, err := permissions.ReadRepository(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{permissions.Operator, "osm-controller", "osm-injector"} {
		if len(manifests.Held[account]) == 0 {
			t.Errorf("no permissions of %s are found in the manifests", account)
		}
	}
	for _, entry := range permissions.Stale(manifests.Explained.Unused, manifests.Held) {
		t.Errorf("hack/permissions.yaml explains a permission that %s does not have: %+v", entry.Account, entry)
	}
}

func TestBrokenLog(t *testing.T) {
	if _, err := permissions.ReadLog(strings.NewReader("{}\nnot an event\n")); err == nil || !strings.Contains(err.Error(), "line 2 of the audit log") {
		t.Errorf("error %v, want the line", err)
	}
}
