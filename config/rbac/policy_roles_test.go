package rbac

import (
	"os"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// policyRoles returns which resources the roles for users allow to read and to write, by the role of Kubernetes that includes them.
func policyRoles(t *testing.T) map[string]map[string]bool {
	t.Helper()
	content, err := os.ReadFile("policy_roles.yaml")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]map[string]bool{"view": {}, "edit": {}, "admin": {}}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		_, level, _ := strings.Cut(role.Name, "osm-operator-policies-")
		if len(role.Labels) != 1 || role.Labels["rbac.authorization.k8s.io/aggregate-to-"+level] != "true" {
			t.Errorf("%s has the labels %v", role.Name, role.Labels)
		}
		for _, rule := range role.Rules {
			for _, p := range permissions(rule) {
				if (level == "view") != (p.verb == "get" || p.verb == "list" || p.verb == "watch") {
					t.Errorf("%s allows %s", role.Name, p.verb)
				}
				allowed[level][p.resource+"."+p.group] = true
			}
		}
	}
	return allowed
}

// Who administers a namespace writes its policies without another role, whatever kind is added. The settings of a mesh concern all namespaces.
func TestUsersMayWriteThePoliciesOfTheirNamespaces(t *testing.T) {
	allowed := policyRoles(t)
	for _, kind := range kinds.All() {
		name := kind.Definition()
		isWritten := allowed["edit"][name] || allowed["admin"][name]
		if allowed["view"][name] != kind.IsPolicy() || isWritten != kind.IsPolicy() {
			t.Errorf("%s: a policy is %t, users may view it %t and write it %t", name, kind.IsPolicy(), allowed["view"][name], isWritten)
		}
		if allowed["edit"][name] && allowed["admin"][name] {
			t.Errorf("%s is in the roles edit and admin, which includes edit", name)
		}
	}
}
