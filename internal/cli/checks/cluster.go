package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
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
