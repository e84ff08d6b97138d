package takeover

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// osm returns the Deployments of an OSM whose controller has some arguments.
func osm(args ...string) []appsv1.Deployment {
	controller := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: names.Controller, Labels: map[string]string{names.MeshNameLabel: "osm"}}}
	controller.Spec.Template.Spec.Containers = []corev1.Container{{Name: names.Controller, Args: args}, {Name: "fluentbit-logger", Args: []string{"--mesh-name", "wrong"}}}
	injector := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: names.Injector}, Status: appsv1.DeploymentStatus{AvailableReplicas: 1}}
	return []appsv1.Deployment{controller, injector}
}

func TestMismatch(t *testing.T) {
	ofMesh := osm()
	for i := range ofMesh {
		ofMesh[i].Labels = map[string]string{names.MeshLabel: "osm"}
	}
	for name, c := range map[string]struct {
		found []appsv1.Deployment
		state func(*desired.Mesh)
		want  string
	}{
		"fits":                    {osm("--verbosity", "info", "--trust-domain", "cluster.local", "--certificate-manager=tresor"), nil, ""},
		"no flags":                {osm(), nil, ""},
		"nothing there":           {nil, nil, "has no Deployment osm-controller"},
		"a control plane of ours": {ofMesh, nil, "has no Deployment osm-controller"},
		"another mesh":            {osm("--mesh-name", "shop"), nil, "create a Mesh named shop"},
		"another trust domain":    {osm("--trust-domain=mesh.example"), nil, "set spec.certificates.trustDomain to mesh.example"},
		"Vault":                   {osm("--certificate-manager", "vault"), nil, "provider vault"},
		"MeshRootCertificates":    {osm("--enable-mesh-root-certificate=true"), nil, "--enable-mesh-root-certificate"},
		"the same namespace":      {osm(), func(m *desired.Mesh) { m.Namespace = "osm-system" }, "osm-mesh"},
		"an own authority":        {osm(), func(m *desired.Mesh) { m.RotateRoot = "2" }, "spec.certificates.rotateRoot"},
	} {
		state := desired.Mesh{Name: "osm", Namespace: "osm-mesh", TrustDomain: names.DefaultTrustDomain, Provider: v1alpha1.ProviderBuiltIn}
		if c.state != nil {
			c.state(&state)
		}
		got := runningOf("osm-system", c.found).Mismatch(state)
		if got == "" != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRunningReadsFlags(t *testing.T) {
	got := runningOf("kube-system", osm("--osm-version", "v1.2.4", "--ca-bundle-secret-name", "root", "--trust-domain=a.example", "--enable-reconciler=true"))
	want := Running{
		Namespace: "kube-system", Exists: true, HasController: true, Mesh: "osm", Version: "v1.2.4", TrustDomain: "a.example", Provider: tresor, CASecret: "root", Injects: true,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if command := got.Removal(); !strings.Contains(command, "az aks") {
		t.Errorf("an add-on is removed with %s", command)
	}
}

// TestStepsOfATakeover checks what each combination of declared and reached step permits.
func TestStepsOfATakeover(t *testing.T) {
	type permissions struct{ register, hold, back, status bool }
	for name, c := range map[string]struct {
		declared, inEffect v1alpha1.AdoptionStep
		want               permissions
	}{
		"before the first":      {"", "", permissions{hold: true}},
		"prepared":              {v1alpha1.AdoptionPrepared, v1alpha1.AdoptionPrepared, permissions{back: true}},
		"injecting is declared": {v1alpha1.AdoptionInjecting, v1alpha1.AdoptionPrepared, permissions{hold: true}},
		"injecting":             {v1alpha1.AdoptionInjecting, v1alpha1.AdoptionInjecting, permissions{register: true, hold: true}},
		"restarting":            {v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting, permissions{register: true}},
		"stopped":               {v1alpha1.AdoptionInjecting, v1alpha1.AdoptionRestarting, permissions{register: true, hold: true}},
		"going back":            {v1alpha1.AdoptionPrepared, v1alpha1.AdoptionRestarting, permissions{hold: true}},
		"OSM still runs":        {v1alpha1.AdoptionComplete, v1alpha1.AdoptionRestarting, permissions{register: true}},
		"complete":              {v1alpha1.AdoptionComplete, v1alpha1.AdoptionComplete, permissions{register: true, status: true}},
	} {
		mesh := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{Adoption: &v1alpha1.AdoptionSpec{From: ptr.To("osm-system")}}}
		if c.declared != "" {
			mesh.Spec.Adoption.Step = &c.declared
		}
		mesh.Status.Adoption = &v1alpha1.AdoptionStatus{From: "osm-system", Step: string(c.inEffect)}
		got := permissions{MayRegister(mesh), holdsRestarts(mesh), restartsBack(mesh), WritesStatus(mesh)}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		mesh.Spec.Adoption = nil
		if withdrawn := Of(mesh); withdrawn == nil || !withdrawn.IsWithdrawn || restartsBack(mesh) {
			t.Errorf("%s: without spec.adoption: %+v, and restarts back %t", name, withdrawn, restartsBack(mesh))
		}
	}
	if mesh := (&v1alpha1.Mesh{}); Of(mesh) != nil || !MayRegister(mesh) || holdsRestarts(mesh) || restartsBack(mesh) || !WritesStatus(mesh) || FollowsAuthority(mesh) {
		t.Error("a Mesh without a takeover is affected")
	}
}
