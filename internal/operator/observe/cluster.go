package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Secrets reads the Secrets of control planes.
type Secrets interface {
	// Get reads a Secret, or returns nil when there is none.
	Get(ctx context.Context, namespace, name string) (*corev1.Secret, error)
	// Sources are watches of all of them, as requests.
	Sources(requests func(context.Context, *corev1.Secret) []reconcile.Request) []source.Source
}

// Cluster is what every controller of a Mesh reads from. All fields are required.
type Cluster struct {
	// Client reads from the manager's cache.
	Client client.Client
	// Live reads from the API server, for what is not worth a watch.
	Live client.Reader
	// Secrets reads the Secrets of control planes.
	Secrets Secrets
	// Catalogue holds the versions that can be installed.
	Catalogue *operand.Catalogue
	// Compatibility defines the supported steps between versions.
	Compatibility compatibility.Table
	// OperatorNamespace is where the operator runs.
	OperatorNamespace string
	// Now is the clock.
	Now func() time.Time
}

// Desired is what a Mesh asks for, with defaults applied.
func (c *Cluster) Desired(mesh *v1alpha1.Mesh) desired.Mesh {
	return desired.StateOf(mesh, c.Compatibility.NextVersion(verifiedVersion(mesh), c.Catalogue.Current(), c.Catalogue.Known()))
}

// verifiedVersion is the last version of a mesh that passed all gates, or else the version that it runs. A mesh without spec.version follows the
// operator from it, one step at a time: an operator may skip versions, or be updated again during an upgrade.
func verifiedVersion(mesh *v1alpha1.Mesh) string {
	for _, entry := range mesh.Status.History { // the newest first
		if entry.Result == v1alpha1.ResultSucceeded {
			return entry.Version
		}
	}
	return mesh.Status.Version
}

// Namespace reads a namespace, or returns nil when there is none.
func (c *Cluster) Namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	namespace := &corev1.Namespace{}
	err := c.Client.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the namespace %s cannot be read: %w", name, err)
	}
	return namespace, nil
}

// Members lists the namespaces that are part of a mesh.
func (c *Cluster) Members(ctx context.Context, mesh string) ([]corev1.Namespace, error) {
	var list corev1.NamespaceList
	if err := c.Client.List(ctx, &list, client.MatchingLabels{names.MonitoredByLabel: mesh}); err != nil {
		return nil, fmt.Errorf("the namespaces of the mesh cannot be listed: %w", err)
	}
	return lists.Filter(list.Items, func(namespace corev1.Namespace) bool {
		_, ignored := namespace.Labels[names.IgnoreLabel]
		return !ignored
	}), nil
}

// MemberNames returns the names of the namespaces of a mesh, sorted, without those that are being deleted: they accept no objects.
func (c *Cluster) MemberNames(ctx context.Context, mesh string) ([]string, error) {
	list, err := c.Members(ctx, mesh)
	var members []string
	for i := range list {
		if list[i].DeletionTimestamp == nil {
			members = append(members, list[i].Name)
		}
	}
	slices.Sort(members)
	return members, err
}

// Revisions lists the MeshRevisions of a mesh.
func (c *Cluster) Revisions(ctx context.Context, mesh string) ([]v1alpha1.MeshRevision, error) {
	var list v1alpha1.MeshRevisionList
	if err := c.Client.List(ctx, &list, client.MatchingLabels{names.MeshLabel: mesh}); err != nil {
		return nil, fmt.Errorf("the MeshRevisions cannot be listed: %w", err)
	}
	return list.Items, nil
}

// IsDeployed is true when the control plane of a mesh has been deployed into a namespace.
func (c *Cluster) IsDeployed(ctx context.Context, mesh, namespace string) (bool, error) {
	controller := &appsv1.Deployment{}
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.Controller}, controller)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the Deployment of the control plane cannot be read: %w", err)
	}
	return err == nil && controller.Labels[names.MeshLabel] == mesh, nil
}

// Root reads the certificate authority that the control planes in a namespace use; nil when its Secret does not exist.
func (c *Cluster) Root(ctx context.Context, namespace string) (*certificate.Root, error) {
	return c.authority(ctx, namespace, names.ActiveCASecret, "Delete the Secret to have it made again")
}

// DesiredRoot reads the certificate authority that the mesh in a namespace should use; nil when its Secret does not exist.
func (c *Cluster) DesiredRoot(ctx context.Context, namespace string) (*certificate.Root, error) {
	root, err := c.authority(ctx, namespace, names.CABundleSecret, "Correct it, or delete the Secret to have a new one made")
	if err != nil || root == nil {
		return nil, err
	}
	if err := root.Valid(c.Now()); err != nil {
		return nil, fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w. Correct it, or delete the Secret to have a new one made", namespace, names.CABundleSecret, err)
	}
	return root, nil
}

// authority decodes a Secret with a certificate authority, which may have expired.
func (c *Cluster) authority(ctx context.Context, namespace, name, remedy string) (*certificate.Root, error) {
	secret, err := c.Secrets.Get(ctx, namespace, name)
	if err != nil || secret == nil {
		return nil, err
	}
	root, err := certificate.Decode(secret.Data)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w. %s", namespace, name, err, remedy)
	}
	return root, nil
}

// StalledError is an error that a retry cannot cure: somebody must change something.
type StalledError struct {
	// Reason and Message are those of the condition Stalled.
	Reason, Message string
}

// Error is the sentence for the user.
func (s *StalledError) Error() string { return s.Message }

// IsStalledError is true when a retry cannot help.
func IsStalledError(err error) bool {
	var s *StalledError
	return errors.As(err, &s)
}

// Claimed returns why the namespace or the name of a mesh belongs to another mesh; nil when they do not. Of several Meshes that name
// one namespace the oldest has it. No mesh runs in a namespace that is part of another mesh, whose injector would change the pods
// of its control plane.
func (c *Cluster) Claimed(ctx context.Context, mesh *v1alpha1.Mesh) (*StalledError, error) {
	state := c.Desired(mesh)
	if other, alike := desired.MeshOf(mesh.Name); alike && desired.IsRevisionOf(other, desired.RevisionName(mesh.Name, state.Version)) {
		return &StalledError{v1alpha1.ReasonInvalidSpec, fmt.Sprintf(
			"metadata.name %s is how a revision of the mesh %s is named, so that their sidecars could not be told apart: delete this Mesh, and create it again under another name", mesh.Name, other)}, nil
	}
	var meshes v1alpha1.MeshList
	if err := c.Client.List(ctx, &meshes); err != nil {
		return nil, fmt.Errorf("the other Meshes cannot be listed: %w", err)
	}
	for i := range meshes.Items {
		other := &meshes.Items[i]
		if other.Name == mesh.Name || c.Desired(other).Namespace != state.Namespace || !isOlder(other, mesh) {
			continue
		}
		return &StalledError{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
			"the namespace %s belongs to the Mesh %s, which is older: delete one of the two, or create this one again with another spec.namespace", state.Namespace, other.Name)}, nil
	}
	namespace, err := c.Namespace(ctx, state.Namespace)
	if err != nil || namespace == nil {
		return nil, err
	}
	owner := namespace.Labels[names.MonitoredByLabel]
	if _, ignored := namespace.Labels[names.IgnoreLabel]; owner == "" || owner == mesh.Name || ignored {
		return nil, nil
	}
	return &StalledError{v1alpha1.ReasonNamespaceClaimed, fmt.Sprintf(
		"the namespace %s, where this mesh is to run, is part of the mesh %s, which would add its sidecars to the control plane: take it out with `kubectl label namespace %s %s-`, or create this Mesh again with another spec.namespace",
		state.Namespace, owner, state.Namespace, names.MonitoredByLabel)}, nil
}

// isOlder is true when the first of two Meshes was created before the second.
func isOlder(first, second *v1alpha1.Mesh) bool {
	if first.CreationTimestamp.Equal(&second.CreationTimestamp) {
		return first.Name < second.Name
	}
	return first.CreationTimestamp.Before(&second.CreationTimestamp)
}

// Stage adds the stages of a Mesh to limits.
func (c *Cluster) Stage(ctx context.Context, mesh *v1alpha1.Mesh, limits *rollout.Limits) error {
	_, _, plane := desired.UpgradeSettings(mesh)
	if len(plane.Stages) == 0 {
		return nil
	}
	members, err := c.Members(ctx, mesh.Name)
	if err != nil {
		return err
	}
	limits.StageOf = map[string]int{}
	for i, stage := range plane.Stages {
		limits.Stages = append(limits.Stages, stage.Name)
		selector, err := metav1.LabelSelectorAsSelector(&stage.NamespaceSelector)
		if err != nil {
			return &StalledError{v1alpha1.ReasonInvalidSpec, fmt.Sprintf("spec.upgrade.dataPlane.stages: the namespaceSelector of %s is not a label selector: %v", stage.Name, err)}
		}
		for j := range members {
			if _, found := limits.StageOf[members[j].Name]; !found && selector.Matches(labels.Set(members[j].Labels)) {
				limits.StageOf[members[j].Name] = i
			}
		}
	}
	return nil
}

// SlotTargets is what pods with two slots have in each revision, by its name: the image that its injector gives new pods, and its level. A version that
// this operator does not know, and one before slots, has no level.
func (c *Cluster) SlotTargets(ctx context.Context, mesh *v1alpha1.Mesh, revisions []v1alpha1.MeshRevision) (map[string]rollout.SlotTarget, error) {
	config, _, err := c.sidecarConfig(ctx, mesh)
	if err != nil {
		return nil, err
	}
	targets := map[string]rollout.SlotTarget{}
	for i := range revisions {
		sidecar := revisions[i].Spec.Sidecar
		if sidecar == nil {
			sidecar = desired.Sidecar(mesh, config, operand.Images(revisions[i].Spec.Images))
		}
		target := rollout.SlotTarget{Image: sidecar.Image, Init: sidecar.InitImage, Hash: desired.BootstrapHash(revisions[i].Spec.Sidecar)}
		if release, err := c.Catalogue.Release(revisions[i].Spec.Version); err == nil {
			target.Level = release.SlotsLevel()
		}
		targets[revisions[i].Name] = target
	}
	return rollout.UnifyImages(targets), nil
}
