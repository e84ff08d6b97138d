package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Writer writes the part of a status that one owner has.
type Writer struct {
	Client client.Client
	// latest is nil for clients without a cache.
	latest *latest
}

// NewWriter returns a Writer for a client that reads from a cache. It rejects what was computed from an outdated Mesh.
func NewWriter(c client.Client) Writer { return Writer{Client: c, latest: newLatest()} }

// Write applies the owner's part of desired to the status of mesh, which is as it was read or written. It returns the Mesh with its new status, or
// nil when nothing was written: the part has not changed, or the Mesh is gone. A Mesh that is older than the owner's last write is a conflict. What
// others own in desired is not read.
func (w Writer) Write(ctx context.Context, owner Owner, mesh *v1alpha1.Mesh, desired *v1alpha1.MeshStatus) (*v1alpha1.Mesh, error) {
	if !slices.Contains(owner.Conditions, v1alpha1.ConditionReady) && meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady) == nil {
		// Conditions without a summary would mislead tools. The first summary is an event for every controller.
		if !owner.Early {
			return nil, nil
		}
		owner.Conditions = nil
	}
	before, err := owner.part(&mesh.Status)
	if err != nil {
		return nil, err
	}
	after, err := owner.part(desired)
	if err != nil {
		return nil, err
	}
	if w.latest.isStale(owner, mesh) {
		return nil, apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("meshes").GroupResource(), mesh.Name,
			errors.New("the cache does not have the last status yet"))
	}
	if equality.Semantic.DeepEqual(before, after) {
		return nil, nil
	}
	merged, err := merge(owner, &mesh.Status, desired, after)
	if err != nil {
		return nil, err
	}
	version, err := w.apply(ctx, owner, mesh, after)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("the status of Mesh %s cannot be written: %w", mesh.Name, err)
	}
	if err != nil {
		return nil, nil
	}
	written := mesh.DeepCopy()
	written.Status, written.ResourceVersion = *merged, version
	return written, nil
}

// apply applies a part of the status under the name of its owner. It returns the resource version of the Mesh with it.
func (w Writer) apply(ctx context.Context, owner Owner, mesh *v1alpha1.Mesh, part map[string]any) (version string, err error) {
	object, err := w.send(ctx, owner, mesh, part)
	switch {
	case err != nil:
		return "", err
	case object.GetUID() != mesh.UID:
		// The API server ignores the UID in writes of a status. Another Mesh of that name must not keep this one.
		if _, err := w.send(ctx, owner, mesh, map[string]any{}); err != nil {
			return "", err
		}
		return "", apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("meshes").GroupResource(), mesh.Name)
	}
	w.latest.record(owner, mesh, object.GetResourceVersion())
	return object.GetResourceVersion(), nil
}

// send applies a part of the status, and returns the object that has it. An empty part removes what the owner has written.
func (w Writer) send(ctx context.Context, owner Owner, mesh *v1alpha1.Mesh, part map[string]any) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{Object: map[string]any{"status": part}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Mesh"))
	object.SetName(mesh.Name)
	if len(part) > 0 {
		object.SetUID(mesh.UID) // a Mesh that is gone gets an error
	}
	return object, w.Client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(owner.Manager), client.ForceOwnership)
}

// merge is a status with the owner's part of another one.
func merge(owner Owner, status, desired *v1alpha1.MeshStatus, part map[string]any) (*v1alpha1.MeshStatus, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	if err != nil {
		return nil, err
	}
	for _, field := range owner.Fields {
		delete(content, field)
		if value, has := part[field]; has {
			content[field] = value
		}
	}
	delete(content, "conditions")
	merged := &v1alpha1.MeshStatus{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, merged); err != nil {
		return nil, err
	}
	merged.Conditions = slices.Clone(status.Conditions)
	for _, kind := range owner.Conditions {
		meta.RemoveStatusCondition(&merged.Conditions, kind)
	}
	merged.Conditions = append(merged.Conditions, slices.DeleteFunc(slices.Clone(desired.Conditions), func(c metav1.Condition) bool {
		return !slices.Contains(owner.Conditions, c.Type)
	})...)
	return merged, nil
}

// latest remembers the resource version of the last write of each owner. A Mesh from the cache may be older than that. What is computed
// from it would count transitions and restart times twice.
type latest struct {
	mu       sync.Mutex
	versions map[latestKey]string
	// stale counts how often in a row a Mesh was older.
	stale map[latestKey]int
}

// mostStale is how often in a row a Mesh may be older than the last write, at five times a second. A cache lags less. After a restore of etcd
// from a backup every version is older, and only the cluster is right.
const mostStale = 100

type latestKey struct {
	manager string
	mesh    types.UID
}

func newLatest() *latest {
	return &latest{versions: map[latestKey]string{}, stale: map[latestKey]int{}}
}

// isStale reports whether a Mesh was read before the last write of an owner. Versions that cannot be compared are not stale.
func (l *latest) isStale(owner Owner, mesh *v1alpha1.Mesh) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := latestKey{owner.Manager, mesh.UID}
	order, err := resourceversion.CompareResourceVersion(mesh.ResourceVersion, l.versions[key])
	if err != nil || order >= 0 {
		delete(l.stale, key)
		return false
	}
	if l.stale[key]++; l.stale[key] > mostStale {
		delete(l.stale, key)
		delete(l.versions, key)
		return false
	}
	return true
}

// record remembers a write. A Mesh that is being deleted is forgotten, because it may not be written again.
func (l *latest) record(owner Owner, mesh *v1alpha1.Mesh, version string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.stale, latestKey{owner.Manager, mesh.UID})
	if mesh.DeletionTimestamp != nil {
		delete(l.versions, latestKey{owner.Manager, mesh.UID})
		return
	}
	l.versions[latestKey{owner.Manager, mesh.UID}] = version
}

// Owner is the part of a Mesh's status that one controller writes.
type Owner struct {
	// Manager is the field manager.
	Manager string
	// Fields are the fields of the status, by their JSON names.
	Fields []string
	// Conditions are the types of the conditions.
	Conditions []string
	// Early is true for an owner that writes its fields before the first summary. Its conditions wait for it.
	Early bool
}

// The owners. Every field and condition of the status has exactly one.
var (
	Mesh = Owner{
		Manager: "osm-operator-mesh",
		Fields:  []string{"observedGeneration", "namespace", "namespaces", "desiredVersion", "phase"},
		Conditions: []string{
			v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled,
			v1alpha1.ConditionInstalled, v1alpha1.ConditionConfigurationAccepted, v1alpha1.ConditionPaused,
			v1alpha1.ConditionPeersReady,
		},
	}
	Certificates = Owner{
		Manager: "osm-operator-certificates",
		Fields:  []string{"certificates"},
		Conditions: []string{
			v1alpha1.ConditionCertificatesReady, v1alpha1.ConditionRotatingAuthority, v1alpha1.ConditionCertificatesDelegated, v1alpha1.ConditionIssuerShared,
			v1alpha1.ConditionIngressCertificateReady,
		},
	}
	Trust   = Owner{Manager: "osm-operator-trust", Conditions: []string{v1alpha1.ConditionTrustDistributed}}
	Rollout = Owner{
		Manager: "osm-operator-rollout",
		Fields:  []string{"version", "revisions", "proxies", "upgrade", "history", "bridge"},
		Conditions: []string{
			v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionUpgrading, v1alpha1.ConditionDataPlaneUpToDate,
			v1alpha1.ConditionServingOSMSidecars,
		},
	}
	Teardown = Owner{Manager: "osm-operator-teardown", Fields: []string{"removal"}, Conditions: []string{v1alpha1.ConditionRemoved}}
	// Takeover precedes the first summary, because an installation waits for it.
	Takeover = Owner{Manager: names.TakeoverManager, Fields: []string{"adoption"}, Conditions: []string{v1alpha1.ConditionAdopting}, Early: true}
	Plan     = Owner{Manager: "osm-operator-plan", Fields: []string{"plan"}, Conditions: []string{v1alpha1.ConditionPlanned}}
	// Components precedes the first summary, because its inventory precedes the objects.
	Components = Owner{Manager: "osm-operator-components", Fields: []string{"components"}, Conditions: []string{v1alpha1.ConditionComponentsReady}, Early: true}
)

// part is what an owner has in a status, as its JSON would be.
func (o Owner) part(status *v1alpha1.MeshStatus) (map[string]any, error) {
	kept := status.DeepCopy()
	kept.Conditions = slices.DeleteFunc(kept.Conditions, func(c metav1.Condition) bool { return !slices.Contains(o.Conditions, c.Type) })
	slices.SortFunc(kept.Conditions, func(a, b metav1.Condition) int {
		return slices.Index(o.Conditions, a.Type) - slices.Index(o.Conditions, b.Type)
	})
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(kept)
	if err != nil {
		return nil, err
	}
	for field := range content {
		if field != "conditions" && !slices.Contains(o.Fields, field) {
			delete(content, field)
		}
	}
	return content, nil
}

// RecordPhase records an Event when a written status has another phase of an upgrade or of a removal. The condition Ready says when a
// mesh is idle or paused.
func RecordPhase(recorder events.EventRecorder, before, after *v1alpha1.Mesh) {
	was, _ := metrics.PhaseOf(before)
	is, _ := metrics.PhaseOf(after)
	if was == is || slices.Contains([]v1alpha1.MeshPhase{"", v1alpha1.PhaseIdle, v1alpha1.PhasePaused, v1alpha1.PhasePlanned}, is) {
		return
	}
	message := ptr.Deref(after.Status.Upgrade, v1alpha1.UpgradeStatus{}).Message
	if removal := after.Status.Removal; removal != nil {
		message = removal.Message
	}
	recorder.Eventf(after, nil, corev1.EventTypeNormal, "PhaseBegun", "Begin "+string(is), "%s: %s", is, cmp.Or(message, "under way"))
}
