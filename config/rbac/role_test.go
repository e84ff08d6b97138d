package rbac

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// permission is one verb on one resource, or on one URL.
type permission struct{ group, resource, name, verb, url string }

// permissions returns the single permissions of a rule.
func permissions(rule rbacv1.PolicyRule) []permission {
	var all []permission
	for _, verb := range rule.Verbs {
		for _, url := range rule.NonResourceURLs {
			all = append(all, permission{verb: verb, url: url})
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range rule.ResourceNames {
					all = append(all, permission{group: group, resource: resource, verb: verb, name: name})
				}
				if len(rule.ResourceNames) == 0 {
					all = append(all, permission{group: group, resource: resource, verb: verb})
				}
			}
		}
	}
	return all
}

// operatorPermissions returns the permissions in role.yaml.
func operatorPermissions(t *testing.T) map[permission]bool {
	t.Helper()
	content, err := os.ReadFile("role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(content, &role); err != nil {
		t.Fatal(err)
	}
	all := map[permission]bool{}
	for _, rule := range role.Rules {
		for _, p := range permissions(rule) {
			all[p] = true
		}
	}
	return all
}

// catalogue returns the manifests of every version of the control plane.
func catalogue(t *testing.T) *operand.Catalogue {
	t.Helper()
	c, err := operand.NewCatalogue("v0.1.0", operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// grantedRules returns the rules of the roles of all known versions.
func grantedRules(t *testing.T, c *operand.Catalogue) []rbacv1.PolicyRule {
	t.Helper()
	workload := operand.Workload{Replicas: 1}
	var granted []rbacv1.PolicyRule
	for _, known := range c.Known() {
		release, err := c.Release(known)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := release.ControlPlane(operand.Parameters{
			Mesh: "osm", Namespace: "osm-system", OperatorNamespace: "osm-operator-system", Revision: "osm-v0-1-0", TrustDomain: "cluster.local",
			Controller: workload, Injector: workload, Images: release.Images,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			var role rbacv1.ClusterRole
			if kind := object.GetKind(); kind != "ClusterRole" && kind != "Role" {
				continue
			}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
				t.Fatal(err)
			}
			granted = append(granted, role.Rules...)
		}
	}
	return granted
}

// TestOperatorHasEveryGrantedPermission exists because the API server allows a subject to grant only permissions that it has.
func TestOperatorHasEveryGrantedPermission(t *testing.T) {
	held := operatorPermissions(t)
	granted := grantedRules(t, catalogue(t))
	if len(granted) == 0 {
		t.Fatal("the manifests grant no permissions")
	}
	for _, rule := range granted {
		for _, p := range permissions(rule) {
			everyName := p
			everyName.name = ""
			if !held[p] && !held[everyName] {
				t.Errorf("a role of the control plane has %+v, which role.yaml lacks", p)
			}
		}
	}
}

// TestOperatorMayManageComponents compares role.yaml with the kinds that the components declare.
func TestOperatorMayManageComponents(t *testing.T) {
	held := operatorPermissions(t)
	rules := rulesOfComponents(builtin.All())
	if len(rules) == 0 {
		t.Fatal("no component declares a kind")
	}
	for _, rule := range rules {
		for _, p := range permissions(rule) {
			if !held[p] {
				t.Errorf("a component requires %+v, which role.yaml lacks", p)
			}
		}
	}
}

// rulesOfComponents returns the permissions that the operator needs for the objects of components.
func rulesOfComponents(components []component.Component) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, c := range components {
		for _, kind := range c.Requires() {
			rules = append(rules, rulesOf(kind)...)
		}
		if _, reads := c.(component.GatewayReader); reads {
			rules = append(rules, rbacv1.PolicyRule{
				APIGroups: []string{component.Gateway().Group}, Resources: []string{component.Gateway().Resource},
				Verbs: []string{"list", "watch"},
			})
		}
	}
	return rules
}

// rulesOf returns the permissions for the objects of a kind. Kubernetes cannot limit create, list and watch to names.
func rulesOf(kind component.Kind) []rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{
		APIGroups: []string{kind.Group}, Resources: []string{kind.Resource}, Verbs: []string{"create", "delete", "get", "list", "patch", "watch"},
	}
	if len(kind.Names) == 0 {
		return []rbacv1.PolicyRule{rule}
	}
	named := rule
	rule.Verbs, named.Verbs, named.ResourceNames = []string{"create", "list", "watch"}, []string{"delete", "get", "patch"}, kind.Names
	return []rbacv1.PolicyRule{rule, named}
}

func TestRolesAreExact(t *testing.T) {
	// Each of these allows privilege escalation.
	forbidden := []string{"*", "bind", "escalate", "impersonate"}
	for p := range operatorPermissions(t) {
		for _, part := range []string{p.group, p.resource, p.verb, p.url} {
			if slices.Contains(forbidden, part) || strings.Contains(part, "*") {
				t.Errorf("role.yaml allows %+v", p)
			}
		}
	}
}
