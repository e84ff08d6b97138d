package components

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// all returns the folders of the components.
func all(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*/kustomization.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no components found: %v", err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Dir(file))
	}
	return names
}

func TestEachComponentBuilds(t *testing.T) {
	for _, name := range all(t) {
		t.Run(name, func(t *testing.T) {
			if len(build(t, "namespace: platform\nresources: [../../default]\ncomponents: [../"+name+"]")) == 0 {
				t.Error("the kustomization has no objects")
			}
		})
	}
}

func TestOperatorPolicyAllowsTheMetricsPortOnly(t *testing.T) {
	objects := build(t, "resources: [../../default]\ncomponents: [../networkpolicy]")
	policy := decode[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", "osm-operator")
	operator := decode[appsv1.Deployment](t, objects, "Deployment", "osm-operator")
	if got, want := policyPorts(policy), []int32{portNamed(t, operator, "metrics")}; !slices.Equal(got, want) {
		t.Errorf("the NetworkPolicy of the operator allows the ports %v, want %v", got, want)
	}
	checkSelects(t, policy, operator)
}

func TestMeshPoliciesAllowThePortsOfTheControlPlane(t *testing.T) {
	objects := build(t, "namespace: shop-mesh\ncomponents: [../mesh-networkpolicy]")
	for name, manifest := range map[string]string{"osm-controller": "controller.yaml", "osm-injector": "injector.yaml"} {
		policy := decode[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", name)
		if policy.Namespace != "shop-mesh" {
			t.Errorf("the NetworkPolicy %s is in the namespace %s, want that of the kustomization", name, policy.Namespace)
		}
		server := decode[appsv1.Deployment](t, readManifests(t, manifest), "Deployment", name)
		want := remotePorts(server)
		if got := policyPorts(policy); !slices.Equal(got, want) {
			t.Errorf("the NetworkPolicy %s allows the ports %v, the pods serve %v", name, got, want)
		}
		checkSelects(t, policy, server)
	}
}

func TestMonitoringScrapesTheService(t *testing.T) {
	objects := build(t, "namespace: platform\nresources: [../../default]\ncomponents: [../monitoring]")
	monitor := decode[monitoringv1.ServiceMonitor](t, objects, "ServiceMonitor", "osm-operator")
	if monitor.Namespace != "platform" {
		t.Errorf("the ServiceMonitor is in the namespace %s, want that of the operator", monitor.Namespace)
	}
	checkScrapes(t, monitor, objects)
	binding := decode[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding", "osm-operator-metrics-reader")
	if subject := binding.Subjects[0]; subject.Namespace != "monitoring" {
		t.Errorf("the account of Prometheus is in %s: the namespace of the operator must not replace its own", subject.Namespace)
	}
	role := decode[rbacv1.ClusterRole](t, objects, "ClusterRole", binding.RoleRef.Name)
	if !slices.Contains(role.Rules[0].NonResourceURLs, "/metrics") {
		t.Errorf("the role %s does not allow /metrics", role.Name)
	}
}

func TestHighAvailabilityRunsTwoReplicas(t *testing.T) {
	objects := build(t, "resources: [../../default]\ncomponents: [../high-availability]")
	if operator := decode[appsv1.Deployment](t, objects, "Deployment", "osm-operator"); *operator.Spec.Replicas != 2 {
		t.Errorf("the operator has %d replicas, want 2", *operator.Spec.Replicas)
	}
}

func TestInstallationDocumentsEachComponent(t *testing.T) {
	page, err := os.ReadFile("../../docs/installation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all(t) {
		if !strings.Contains(string(page), "config/components/"+name) {
			t.Errorf("docs/installation.md does not describe config/components/%s", name)
		}
	}
}
