package builtin_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Each object must be of a declared kind, because only declared kinds are watched and granted. It must have the labels of the mesh,
// because the operator finds its objects by them.
func TestComponentsRenderWhatTheyDeclare(t *testing.T) {
	known := map[string]bool{}
	for _, c := range builtin.All() {
		if problems := validation.IsDNS1123Label(c.Name()); len(problems) > 0 || known[c.Name()] {
			t.Errorf("the name %q is a duplicate or invalid: %v", c.Name(), problems)
		}
		known[c.Name()] = true
		objects, err := c.Render(inputs(t))
		if err != nil || len(objects) == 0 {
			t.Errorf("%s rendered %d objects: %v", c.Name(), len(objects), err)
		}
		for _, object := range objects {
			if !requires(c, object.GroupVersionKind()) {
				t.Errorf("%s renders the %s %s, but Requires does not list this kind", c.Name(), object.GetKind(), object.GetName())
			}
			for key, value := range operand.Labels("osm", "v0.1.0") {
				if object.GetLabels()[key] != value {
					t.Errorf("%s: the %s %s has the labels %v, want %s=%s", c.Name(), object.GetKind(), object.GetName(), object.GetLabels(), key, value)
				}
			}
		}
		if health := c.Health(objects); !health.Ready && health.Message == "" {
			t.Errorf("%s is not ready without a message", c.Name())
		}
	}
}

// TestThePolicyKnowsEachDeployment: of Deployments with other names, the admission policy permits the operator to restart them only.
func TestThePolicyKnowsEachDeployment(t *testing.T) {
	policy, err := os.ReadFile("../../../../config/admission/operator_policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`variables\.name\.matches\('(\^\(osm-[^']+)'\)`).FindSubmatch(policy)
	if found == nil {
		t.Fatal("the policy has no pattern for names of Deployments")
	}
	known := regexp.MustCompile(string(found[1]))
	deployments := []string{names.Controller, names.Injector, names.Controller + "-v0-5-0", names.Injector + "-v0-5-0", names.DedicatedGateway("shop", "web")}
	for _, c := range builtin.All() {
		objects, err := c.Render(inputs(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if object.GetKind() == "Deployment" {
				deployments = append(deployments, object.GetName())
			}
		}
	}
	for _, name := range deployments {
		if !known.MatchString(name) {
			t.Errorf("the policy does not permit the operator to write the Deployment %s", name)
		}
	}
}

// TestBadImagesLeaveEarlierPodsServing checks that no earlier pod stops before a new one is ready, unless both need the same volume.
func TestBadImagesLeaveEarlierPodsServing(t *testing.T) {
	stopsFirst := map[string]bool{"prometheus with a volume": true}
	stored := inputs(t)
	stored.Mesh.Spec.Observability = &v1alpha1.ObservabilitySpec{Prometheus: &v1alpha1.PrometheusComponent{
		Managed: &v1alpha1.ManagedPrometheus{Storage: ptr.To(resource.MustParse("1Gi"))},
	}}
	deployments := 0
	for suffix, in := range map[string]component.Inputs{"": inputs(t), " with a volume": stored} {
		for _, c := range builtin.All() {
			objects, err := c.Render(in)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range objects {
				if object.GetKind() != "Deployment" {
					continue
				}
				deployments++
				most, found, _ := unstructured.NestedInt64(object.Object, "spec", "strategy", "rollingUpdate", "maxUnavailable")
				keeps := found && most == 0
				if name := c.Name(); keeps == (stopsFirst[name] || stopsFirst[name+suffix]) {
					t.Errorf("%s%s: a new pod replaces the earlier one only when it is ready: %t", name, suffix, keeps)
				}
			}
		}
	}
	if deployments != 2*7 {
		t.Errorf("%d Deployments, want twice seven", deployments)
	}
}

func requires(c component.Component, kind schema.GroupVersionKind) bool {
	return slices.ContainsFunc(c.Requires(), func(k component.Kind) bool { return k.GroupVersionKind == kind })
}

// inputs returns a mesh for which every component has objects.
func inputs(t *testing.T) component.Inputs {
	t.Helper()
	images := operand.Images{Controller: "controller", Injector: "injector", Init: "init", Sidecar: "sidecar"}
	catalogue, err := operand.NewCatalogue("v0.1.0", images)
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	workload := operand.Workload{Autoscaling: &operand.Autoscaling{Min: 2, Max: 4, CPU: 80}}
	return component.Inputs{
		Mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}},
		ControlPlanes: []component.ControlPlane{{Release: release, Parameters: operand.Parameters{
			Mesh: "osm", Namespace: "osm-system", OperatorNamespace: "osm-operator-system", Revision: "osm-v0-1-0",
			TrustDomain: "cluster.local", Controller: workload, Injector: workload, Images: images,
		}}},
	}
}
