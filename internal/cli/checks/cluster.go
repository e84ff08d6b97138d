package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/cli/socketlb"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// PreInstall checks whether a mesh can be installed.
func (s Subject) PreInstall(ctx context.Context) []diagnosis.Finding {
	return []diagnosis.Finding{
		diagnosis.Group("Cluster", append([]diagnosis.Finding{s.kubernetes(), s.nodes(ctx), s.network(ctx)}, s.features(ctx)...)...),
		diagnosis.Group("Permissions", s.permissions(ctx)...),
		diagnosis.Group("Conflicts", slices.Concat(s.conflictingMeshes(ctx), s.podSecurity(ctx))...),
		diagnosis.Group("Existing OSM resources", s.existingResources(ctx)...),
	}
}

func (s Subject) kubernetes() diagnosis.Finding {
	found, err := s.Kubernetes()
	if err != nil {
		return diagnosis.Unread("the Kubernetes version", err)
	}
	parsed, err := version.ParseGeneric(found.GitVersion)
	if err != nil || parsed.AtLeast(version.MustParseGeneric(names.OldestKubernetes)) {
		return diagnosis.Pass("Kubernetes %s is supported", found.GitVersion)
	}
	return diagnosis.Fail("upgrade the cluster", "Kubernetes %s is not supported: version %s or later is required", found.GitVersion, names.OldestKubernetes)
}

func (s Subject) nodes(ctx context.Context) diagnosis.Finding {
	var nodes corev1.NodeList
	if err := s.Client.List(ctx, &nodes); err != nil {
		return diagnosis.Unread("nodes", err)
	}
	var others []string
	for i := range nodes.Items {
		if os := nodes.Items[i].Status.NodeInfo.OperatingSystem; os != "" && os != "linux" {
			others = append(others, nodes.Items[i].Name)
		}
	}
	if len(others) > 0 {
		return diagnosis.Warn("schedule the pods of the mesh on Linux nodes with a node selector", "sidecars require Linux, and these nodes run another operating system: %s", strings.Join(others, ", "))
	}
	return diagnosis.Pass("%s, all running Linux", output.Count(len(nodes.Items), "node"))
}

// requiredPermissions are the permissions that an installation needs, besides read access.
var requiredPermissions = []authorizationv1.ResourceAttributes{
	{Verb: "create", Resource: "namespaces"},
	{Verb: "create", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"},
	{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
	{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
	{Verb: "create", Group: "apps", Resource: "deployments", Namespace: names.OperatorNamespace},
	{Verb: "create", Group: "operator.openservicemesh.io", Resource: "meshes"},
}

func (s Subject) permissions(ctx context.Context) []diagnosis.Finding {
	var results []diagnosis.Finding
	for _, permission := range requiredPermissions {
		name := permission.Resource
		if permission.Group != "" {
			name += "." + permission.Group
		}
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &permission}}
		switch err := s.Client.Create(ctx, review); {
		case err != nil:
			results = append(results, diagnosis.Unread("your permission to "+permission.Verb+" "+name, err))
		case review.Status.Allowed:
			results = append(results, diagnosis.Pass("you can %s %s", permission.Verb, name))
		default:
			results = append(results, diagnosis.Fail("ask a cluster administrator to install the operator", "you cannot %s %s", permission.Verb, name))
		}
	}
	return results
}

// podSecurity finds namespaces of the mesh whose pod security level forbids the init container.
func (s Subject) podSecurity(ctx context.Context) []diagnosis.Finding {
	var namespaces corev1.NamespaceList
	if err := s.Client.List(ctx, &namespaces, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return []diagnosis.Finding{diagnosis.Unread("namespaces", err)}
	}
	var results []diagnosis.Finding
	for i := range namespaces.Items {
		level := namespaces.Items[i].Labels["pod-security.kubernetes.io/enforce"]
		if level == "baseline" || level == "restricted" {
			results = append(results, diagnosis.Fail(
				fmt.Sprintf("kubectl label namespace %s pod-security.kubernetes.io/enforce=privileged --overwrite", namespaces.Items[i].Name),
				"namespace %s enforces the pod security level %s, which forbids the capability NET_ADMIN of the init container: pods will not start", namespaces.Items[i].Name, level))
		}
	}
	return results
}

// network finds settings of the network with which sidecars cannot see the addresses of Services.
func (s Subject) network(ctx context.Context) diagnosis.Finding {
	found, err := socketlb.Find(ctx, s.Client)
	switch {
	case len(found) > 0:
		return diagnosis.Fail(found[0].Remedy, "%s: %s, so sidecars cannot apply policies", found[0].Where, found[0].Problem)
	case err != nil:
		return diagnosis.Unread("the settings of the network", err)
	}
	return diagnosis.Pass("no setting of Cilium or Calico replaces addresses of Services in pods")
}

// Subject is the mesh to check.
type Subject struct {
	Client client.Client
	// Mesh is the name of the mesh, Namespace the namespace of its control plane.
	Mesh, Namespace string
	// Meshes are all meshes of the cluster.
	Meshes remaining.Meshes
	// CanarySuffix is the name suffix of the canary's Deployments, or empty.
	CanarySuffix string
	// Kubernetes returns the version of the API server.
	Kubernetes func() (*apiversion.Info, error)
	// Probe sends a request to an HTTP server in a pod. An error means that the pod is not healthy.
	Probe func(ctx context.Context, namespace, pod string, port int, path string) error
	Now   time.Time
}

// features reports which parts of a mesh the cluster is too old for. They are no reason not to install one.
func (s Subject) features(ctx context.Context) []diagnosis.Finding {
	server, err := s.Kubernetes()
	if err != nil {
		return nil // kubernetes reports it
	}
	var results []diagnosis.Finding
	for _, feature := range []compatibility.Feature{
		compatibility.FeatureOf(compatibility.DestinationsOnDemand), compatibility.FeatureOf(compatibility.SidecarZones),
	} {
		if feature.LacksAPIServer(server.GitVersion) {
			results = append(results, diagnosis.Warn("upgrade the cluster if you need it", "%s: Kubernetes %s or later is required, and this is %s. With an older one, %s",
				feature, feature.APIServer, server.GitVersion, feature.Without))
		}
	}
	return append(results, s.kubelets(ctx)...)
}

// kubelets reports nodes whose kubelets are too old for upgrades of sidecars in place; nothing without any.
func (s Subject) kubelets(ctx context.Context) []diagnosis.Finding {
	feature := compatibility.FeatureOf(compatibility.SidecarsInPlace)
	var nodes corev1.NodeList
	if err := s.Client.List(ctx, &nodes); err != nil {
		return []diagnosis.Finding{diagnosis.Unread("nodes", err)}
	}
	var old []string
	for i := range nodes.Items {
		info := nodes.Items[i].Status.NodeInfo
		if feature.LacksKubelet(info.KubeletVersion) && info.OperatingSystem != string(corev1.Windows) {
			old = append(old, fmt.Sprintf("%s (%s)", nodes.Items[i].Name, info.KubeletVersion))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Warn("upgrade these nodes if you need it", "%s: kubelets of version %s or later are required, and these nodes have older ones: %s. Until then, %s",
		feature, feature.Kubelet, firstThree(old), feature.Without)}
}

// upgradesInPlace reports whether a Mesh asks for upgrades of sidecars in place.
func upgradesInPlace(m *v1alpha1.Mesh) bool {
	plane := ptr.Deref(ptr.Deref(m.Spec.Upgrade, v1alpha1.UpgradeSpec{}).DataPlane, v1alpha1.DataPlaneSpec{})
	return ptr.Deref(plane.Restart, v1alpha1.RestartRolling) == v1alpha1.RestartInPlace
}
