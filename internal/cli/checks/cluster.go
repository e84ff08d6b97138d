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

	"github.com/openservicemesh/osm-operator/internal/names"
)

// oldestKubernetes is the first version that keeps init containers running as sidecars.
const oldestKubernetes = "1.29.0"

// PreInstall says whether a mesh can be installed.
func (s Subject) PreInstall(ctx context.Context) []Group {
	return []Group{
		{"Cluster", []Result{s.kubernetes(), s.nodes(ctx)}},
		{"Rights to install", s.rights(ctx)},
		{"Nothing in the way", slices.Concat(s.foreign(ctx), s.podSecurity(ctx))},
		{"What is taken over", s.leavings(ctx)},
	}
}

func (s Subject) kubernetes() Result {
	found, err := s.Kubernetes()
	if err != nil {
		return unread("the version of Kubernetes", err)
	}
	parsed, err := version.ParseGeneric(found.GitVersion)
	if err != nil || parsed.AtLeast(version.MustParseGeneric(oldestKubernetes)) {
		return ok("Kubernetes %s runs native sidecars", found.GitVersion)
	}
	return failed("upgrade the cluster", "Kubernetes %s is too old: sidecars need %s or later", found.GitVersion, oldestKubernetes)
}

func (s Subject) nodes(ctx context.Context) Result {
	var nodes corev1.NodeList
	if err := s.Client.List(ctx, &nodes); err != nil {
		return unread("the nodes", err)
	}
	var others []string
	for i := range nodes.Items {
		if os := nodes.Items[i].Status.NodeInfo.OperatingSystem; os != "" && os != "linux" {
			others = append(others, nodes.Items[i].Name)
		}
	}
	if len(others) > 0 {
		return warning("keep the pods of a mesh on Linux nodes, by a node selector", "sidecars run on Linux only, and these nodes run something else: %s", strings.Join(others, ", "))
	}
	return ok("%s, all with Linux", counted(len(nodes.Items), "node"))
}

// neededRights are what installing needs beyond reading.
var neededRights = []authorizationv1.ResourceAttributes{
	{Verb: "create", Resource: "namespaces"},
	{Verb: "create", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"},
	{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
	{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
	{Verb: "create", Group: "apps", Resource: "deployments", Namespace: names.OperatorNamespace},
	{Verb: "create", Group: "operator.openservicemesh.io", Resource: "meshes"},
}

func (s Subject) rights(ctx context.Context) []Result {
	var results []Result
	for _, right := range neededRights {
		name := right.Resource
		if right.Group != "" {
			name += "." + right.Group
		}
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &right}}
		switch err := s.Client.Create(ctx, review); {
		case err != nil:
			results = append(results, unread("your right to "+right.Verb+" "+name, err))
		case review.Status.Allowed:
			results = append(results, ok("you may %s %s", right.Verb, name))
		default:
			results = append(results, failed("ask an administrator of the cluster to install the operator", "you may not %s %s", right.Verb, name))
		}
	}
	return results
}

// podSecurity finds namespaces of the mesh in which the pod security standard forbids what sidecars need.
func (s Subject) podSecurity(ctx context.Context) []Result {
	var namespaces corev1.NamespaceList
	if err := s.Client.List(ctx, &namespaces, client.MatchingLabels{names.MonitoredByLabel: s.Mesh}); err != nil {
		return []Result{unread("the namespaces", err)}
	}
	var results []Result
	for i := range namespaces.Items {
		level := namespaces.Items[i].Labels["pod-security.kubernetes.io/enforce"]
		if level == "baseline" || level == "restricted" {
			results = append(results, failed(
				fmt.Sprintf("kubectl label namespace %s pod-security.kubernetes.io/enforce=privileged --overwrite", namespaces.Items[i].Name),
				"namespace %s enforces the pod security level %s, which refuses the capability NET_ADMIN of the init container: its pods will not start", namespaces.Items[i].Name, level))
		}
	}
	return results
}
