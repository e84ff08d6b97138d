package crd_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// recordedMesh and recordedRevision are objects of version v0.4.0.
const (
	recordedMesh = `
apiVersion: operator.openservicemesh.io/v1alpha1
kind: Mesh
metadata: {name: recorded}
spec:
  namespace: recorded-system
  version: v0.4.0
  controlPlane:
    logLevel: debug
    controller: {replicas: 3, resources: {requests: {cpu: 100m}}}
    injector: {replicas: 3, resources: {requests: {cpu: 100m}}}
  sidecar: {image: "example.com/envoy:v1", logLevel: "off", resources: {limits: {memory: 64Mi}}}
  traffic: {permissive: false, egress: true}
  certificates: {trustDomain: mesh.example.com, serviceCertificateDuration: 1h30m, key: {algorithm: RSA, size: 3072}}
`
	recordedRevision = `
apiVersion: operator.openservicemesh.io/v1alpha1
kind: MeshRevision
metadata: {name: recorded-v0-4-0}
spec:
  mesh: recorded
  version: v0.4.0
  namespace: recorded-system
  trustDomain: mesh.example.com
  key: {algorithm: RSA, size: 3072}
  controlPlane:
    logLevel: debug
    controller: {replicas: 3, resources: {requests: {cpu: 100m}}}
    injector: {replicas: 3, resources: {requests: {cpu: 100m}}}
  role: Active
  images: {controller: "controller:v1", injector: "injector:v1", init: "init:v1", sidecar: "envoy:v1"}
`
	recordedCondition = `{type: Ready, status: "True", reason: Ready, message: "", observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z"}`
)

// TestStoredObjectsOfRecordedVersionsUpgrade stores objects under the definitions of version v0.4.0 and replaces the definitions by the
// current ones. The objects keep all fields, the operator reads the same configuration, and spec and status can be changed.
func TestStoredObjectsOfRecordedVersionsUpgrade(t *testing.T) {
	server := envtest.Start(t)
	envtest.Install(t, server, envtest.Definitions(t, os.DirFS("testdata/v0.4.0"))...)
	mesh, revision := parse(t, recordedMesh), parse(t, recordedRevision)
	storeRecorded(t, newClient(t, server), mesh, "{observedGeneration: 1, namespace: recorded-system, version: v0.4.0, namespaces: 2, "+
		"revisions: [{name: recorded-v0-4-0, version: v0.4.0, ready: true}], conditions: ["+recordedCondition+"]}")
	storeRecorded(t, newClient(t, server), revision, "{observedGeneration: 1, controller: {replicas: 3, ready: 3}, injector: {replicas: 3, ready: 3}, conditions: ["+recordedCondition+"]}")

	envtest.Install(t, server, envtest.Definitions(t, crd.Own)...)
	c := newClient(t, server)
	for _, stored := range []*unstructured.Unstructured{mesh, revision} {
		upgraded := stored.DeepCopy()
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(stored), upgraded); err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"spec", "status"} {
			if diff := cmp.Diff(stored.Object[field], upgraded.Object[field]); diff != "" {
				t.Errorf("%s of %s (-stored +read):\n%s", field, stored.GetKind(), diff)
			}
		}
	}
	checkRecordedParameters(t, mesh, revision)
	checkRecordedChanges(t, c, mesh, revision)
}

// storeRecorded creates an object and writes its status.
func storeRecorded(t *testing.T, c client.Client, object *unstructured.Unstructured, status string) {
	t.Helper()
	create(t, c, object)
	object.Object["status"] = parse(t, "status: "+status).Object["status"]
	if err := c.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// checkRecordedParameters compares what the operator renders for a recorded Mesh and a recorded MeshRevision with their fields.
func checkRecordedParameters(t *testing.T, mesh, revision *unstructured.Unstructured) {
	t.Helper()
	declared, stored := &v1alpha1.Mesh{}, &v1alpha1.MeshRevision{}
	fromUnstructured(t, mesh, declared)
	fromUnstructured(t, revision, stored)
	images := operand.Images{Controller: "controller:v1", Injector: "injector:v1", Init: "init:v1", Sidecar: "envoy:v1"}
	state := desired.StateOf(declared, compatibility.Current().Minor+".0")
	fresh := desired.Revision(declared, state, desired.Choice{Name: desired.RevisionName(state.Name, state.Version)}, desired.Images(declared, images))
	want := desired.Parameters(stored, "osm-operator-system")
	if diff := cmp.Diff(want, desired.Parameters(fresh, "osm-operator-system")); diff != "" {
		t.Errorf("parameters of the Mesh differ from those of its stored MeshRevision (-stored +fresh):\n%s", diff)
	}
	for name, workload := range map[string]operand.Workload{"controller": want.Controller, "injector": want.Injector} {
		if workload.Replicas != 3 || workload.Resources == nil || workload.Resources.Requests.Cpu().String() != "100m" || workload.Autoscaling != nil {
			t.Errorf("%s = %+v, want 3 replicas that request 100m CPU", name, workload)
		}
	}
}

func fromUnstructured(t *testing.T, object *unstructured.Unstructured, into client.Object) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
		t.Fatal(err)
	}
}

// checkRecordedChanges makes the changes after an upgrade: the status of the operator, its new role and new fields of the user.
func checkRecordedChanges(t *testing.T, c client.Client, mesh, revision *unstructured.Unstructured) {
	t.Helper()
	change := func(object client.Object, subresource string, patch string) {
		t.Helper()
		var err error
		if subresource == "" {
			err = c.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch)))
		} else {
			err = c.SubResource(subresource).Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch)))
		}
		if err != nil {
			t.Errorf("%s %s: %v", object.GetName(), patch, err)
		}
	}
	change(mesh, "status", `{"status": {"phase": "Idle", "desiredVersion": "v0.4.0", "revisions": [{"name": "recorded-v0-4-0", "version": "v0.4.0", "role": "Active", "ready": true}]}}`)
	change(mesh, "", `{"metadata": {"labels": {"team": "mesh"}}}`)
	change(mesh, "", `{"spec": {"controlPlane": {"controller": {"replicas": 5}}, "upgrade": {"strategy": {"type": "InPlace"}}}}`)
	change(revision, "", `{"spec": {"role": "Standby"}}`)
	change(revision, "status", `{"status": {"role": "Standby", "roleStartTime": "2026-01-01T00:00:00Z", "verificationTime": "2026-01-01T00:00:00Z"}}`)
}
