package operator_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/full"
)

// repairTime is the timeout for the repair of a field.
const repairTime = defaultTimeout

// appliedKinds are the kinds of objects that the operator applies for a mesh.
func appliedKinds() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, text := range []string{
		"v1 ConfigMap", "v1 Service", "v1 ServiceAccount", "v1 Secret", "apps/v1 Deployment", "policy/v1 PodDisruptionBudget",
		"autoscaling/v2 HorizontalPodAutoscaler",
		"rbac.authorization.k8s.io/v1 ClusterRole", "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
		"rbac.authorization.k8s.io/v1 Role", "rbac.authorization.k8s.io/v1 RoleBinding",
		"admissionregistration.k8s.io/v1 MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
		"operator.openservicemesh.io/v1alpha1 MeshRevision", "config.openservicemesh.io/v1alpha2 MeshConfig",
	} {
		version, kind, _ := strings.Cut(text, " ")
		kinds = append(kinds, schema.FromAPIVersionAndKind(version, kind))
	}
	return kinds
}

// everything declares every field of a Mesh except replicas.
func everything(spec *v1alpha1.MeshSpec) {
	fastUpgrades(spec)
	spec.Version = ptr.To(operatorVersion)
	spec.ControlPlane = scheduled()
	spec.ControlPlane.LogLevel = ptr.To("debug")
	spec.ControlPlane.Controller = &v1alpha1.WorkloadSpec{
		Autoscaling: &v1alpha1.AutoscalingSpec{MinReplicas: ptr.To[int32](2), MaxReplicas: 5, TargetCPUUtilizationPercentage: ptr.To[int32](60)},
		Labels:      v1alpha1.Labels{"example.com/team": "mesh"}, Annotations: map[string]string{"example.com/note": "owned"},
	}
	spec.ControlPlane.Injector = spec.ControlPlane.Controller.DeepCopy()
	spec.Traffic = &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(true), RulesWithoutMatches: ptr.To("None")}
	spec.Sidecar = &v1alpha1.SidecarSpec{Image: ptr.To("example/envoy:2"), LogLevel: ptr.To("info")}
}

// repairPoll is how often each of some sixty objects is read. More often costs the API server more than the repairs.
const repairPoll = 200 * time.Millisecond

// sampledFields is the number of fields of an object that are tested unless this is `make test-full`.
const sampledFields = 8

// TestEveryOwnedFieldIsRepaired changes and removes each field that the operator has applied to the objects of a mesh, or random ones of each
// object. It waits for the repair of each.
func TestEveryOwnedFieldIsRepaired(t *testing.T) {
	t.Parallel()
	const name = "guarded"
	mesh := readyMesh(t, name, everything)
	waitNoWrites(t, name)
	var objects []*unstructured.Unstructured
	for _, kind := range appliedKinds() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := cluster.client.List(t.Context(), list, client.MatchingLabels{names.MeshLabel: name}); err != nil {
			t.Fatal(err)
		}
		if len(list.Items) == 0 {
			t.Errorf("the mesh has no %s", kind.Kind)
		}
		for i := range list.Items {
			objects = append(objects, &list.Items[i])
		}
	}
	var running sync.WaitGroup
	for _, object := range objects {
		running.Go(func() { (&fieldEditor{t: t, original: object}).run(t.Context()) })
	}
	running.Wait()
	waitReady(t, mesh)
}

// fieldEditor changes the fields of one object.
type fieldEditor struct {
	t        *testing.T
	original *unstructured.Unstructured
	// rejected are the fields that the API server does not allow to change. changed are the repaired fields.
	rejected []string
	changed  int
}

// run changes and removes each owned field, and finally deletes the object.
func (v *fieldEditor) run(ctx context.Context) {
	values, items, err := ownedFields(v.original)
	if err != nil {
		v.t.Error(err)
		return
	}
	for _, path := range sample(values) {
		if v.original.GetKind() == "Secret" && path[0].field == "data" {
			// A damaged certificate is replaced, which a separate test covers.
			continue
		}
		value, found := path.read(v.original.Object)
		if !found {
			v.t.Errorf("%s: the owned field %s is absent", v.name(), path)
			continue
		}
		if !v.change(ctx, path, otherValues(value)) && !v.remove(ctx, path) {
			v.rejected = append(v.rejected, path.String())
		}
	}
	for _, path := range sample(items) {
		if !v.remove(ctx, path) {
			v.rejected = append(v.rejected, path.String())
		}
	}
	if v.changed == 0 && len(values) > 0 {
		v.t.Errorf("%s: none of %d fields could be changed", v.name(), len(values))
	}
	for _, path := range v.rejected {
		field := v.original.GetKind() + " " + path
		if !slices.Contains(immutableFields(), field) && !strings.HasPrefix(field, "MeshRevision spec.sidecar.") {
			v.t.Errorf("%s: the API server rejects changes of %s, so its repair is not tested", v.name(), path)
		}
	}
	v.delete(ctx)
	v.t.Logf("%s: %d changes repaired, %v rejected", v.name(), v.changed, v.rejected)
}

// sample returns random fields in `make test`, and all in `make test-full`. A failure names its field.
func sample(fields []fieldPath) []fieldPath {
	if full.Is() || len(fields) <= sampledFields {
		return fields
	}
	var chosen []fieldPath
	for _, i := range rand.Perm(len(fields))[:sampledFields] {
		chosen = append(chosen, fields[i])
	}
	return chosen
}

// immutableFields are fields that the API server does not allow to change, or only together with other fields. Examples are a mounted
// volume, the label of a selector, the only port of a Service and the only container of a pod.
func immutableFields() []string {
	return []string{
		"ClusterRoleBinding roleRef", "RoleBinding roleRef", "Secret type", "Service spec.clusterIP",
		"Service spec.ports[9090/TCP]", "Service spec.ports[9093/TCP]", "Service spec.ports[9094/TCP]",
		"MeshRevision spec.mesh", "MeshRevision spec.namespace", "MeshRevision spec.trustDomain", "MeshRevision spec.version",
		"Deployment spec.selector", "Deployment spec.strategy.type", "Deployment spec.template.metadata.labels.app",
		"Deployment spec.template.spec.containers[osm-controller]", "Deployment spec.template.spec.containers[osm-injector]",
		"Deployment spec.template.spec.containers[osm-injector].volumeMounts[/etc/osm/webhook].name",
		"Deployment spec.template.spec.volumes[webhook-cert]", "Deployment spec.template.spec.volumes[webhook-cert].name",
		"Deployment spec.template.spec.volumes[ca]", "Deployment spec.template.spec.volumes[ca].name",
		"Deployment spec.template.spec.containers[osm-controller].volumeMounts[/var/run/secrets/osm/report].name",
		"Deployment spec.template.spec.volumes[report-token]", "Deployment spec.template.spec.volumes[report-token].name",
	}
}

func (v *fieldEditor) name() string { return v.original.GetKind() + " " + v.original.GetName() }

// change writes the first other value that the API server accepts and waits for the repair. It reports whether a value was accepted.
func (v *fieldEditor) change(ctx context.Context, path fieldPath, others []any) bool {
	return slices.ContainsFunc(others[:min(len(others), 8)], func(other any) bool {
		return v.try(ctx, path, func(live *unstructured.Unstructured) { path.write(live, other, false) }, fmt.Sprintf("changed to %v", other))
	})
}

// remove removes a field or a list item and waits for the repair.
func (v *fieldEditor) remove(ctx context.Context, path fieldPath) bool {
	return v.try(ctx, path, func(live *unstructured.Unstructured) { path.write(live, nil, true) }, "taken away")
}

// try edits the object as a user does with kubectl and waits for the repair. It reports whether the edit had an effect.
func (v *fieldEditor) try(ctx context.Context, path fieldPath, edit func(*unstructured.Unstructured), what string) bool {
	live, err := v.write(ctx, edit)
	switch {
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsForbidden(err), apierrors.IsInternalError(err):
		return false
	case err != nil:
		v.t.Errorf("%s: %s cannot be %s: %v", v.name(), path, what, err)
		return false
	case v.intact(live, path):
		// A default or the API server has restored the field.
		return false
	}
	v.changed++
	v.await(ctx, path, what)
	return true
}

// write updates the live object and retries after conflicts.
func (v *fieldEditor) write(ctx context.Context, edit func(*unstructured.Unstructured)) (*unstructured.Unstructured, error) {
	for {
		live, err := v.live(ctx)
		if err != nil {
			return nil, err
		}
		edit(live)
		err = cluster.client.Update(ctx, live, client.FieldOwner("kubectl-edit"))
		if !apierrors.IsConflict(err) {
			return live, err
		}
	}
}

func (v *fieldEditor) live(ctx context.Context) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(v.original.GroupVersionKind())
	return live, cluster.client.Get(ctx, client.ObjectKeyFromObject(v.original), live)
}

// intact reports whether a field has its original value.
func (v *fieldEditor) intact(live *unstructured.Unstructured, path fieldPath) bool {
	was, _ := path.read(v.original.Object)
	is, found := path.read(live.Object)
	if text, ok := is.(string); ok && strings.HasSuffix(path.String(), "/changed-at") {
		// A damaged time is replaced by the current one.
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	}
	if text, ok := is.(string); ok && strings.HasSuffix(path.String(), "."+names.AccountAnnotation) {
		// The deletion of the ServiceAccount by another editor changes its UID.
		return uuid.Validate(text) == nil
	}
	if text, ok := is.(string); ok && v.original.GetKind() == "Deployment" && strings.HasSuffix(path.String(), "."+apply.HashAnnotation) {
		// The UID is in the pod template, so the hash changes with it. What this test writes is no hash.
		hash, err := hex.DecodeString(text)
		return err == nil && len(hash)*2 == len(fmt.Sprint(was))
	}
	if len(path) > 0 && path[len(path)-1].keys != nil {
		return found
	}
	return found && same(was, is)
}

// await waits for the repair.
func (v *fieldEditor) await(ctx context.Context, path fieldPath, what string) {
	for deadline := time.Now().Add(repairTime); time.Now().Before(deadline); time.Sleep(repairPoll) {
		live, err := v.live(ctx)
		if err == nil && v.intact(live, path) {
			return
		}
	}
	live, _ := v.live(ctx)
	is, _ := path.read(live.Object)
	v.t.Errorf("%s: %s was %s and is not repaired after %s: %v", v.name(), path, what, repairTime, is)
}

// delete deletes the object and waits for another one.
func (v *fieldEditor) delete(ctx context.Context) {
	if kind := v.original.GetKind(); slices.Contains([]string{"Secret", "MeshRevision", "MeshConfig"}, kind) {
		return
	}
	live, err := v.live(ctx)
	if err != nil {
		v.t.Error(err)
		return
	}
	was := live.GetUID()
	if err := cluster.client.Delete(ctx, live); err != nil {
		v.t.Error(err)
		return
	}
	for deadline := time.Now().Add(repairTime); time.Now().Before(deadline); time.Sleep(repairPoll) {
		if live, err = v.live(ctx); err == nil && live.GetUID() != was {
			return
		}
	}
	v.t.Errorf("%s was deleted and not recreated after %s", v.name(), repairTime)
}
