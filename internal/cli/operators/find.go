package operators

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// labels are those of the operator's Deployment in each way of installation.
var labels = client.MatchingLabels{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/component": "operator"}

// Find returns the Deployments of operators, that in the default namespace first. Without the permission to list Deployments in all
// namespaces, it looks in the default namespace only.
func Find(ctx context.Context, c client.Reader) ([]appsv1.Deployment, error) {
	list := &appsv1.DeploymentList{}
	err := c.List(ctx, list, labels)
	if apierrors.IsForbidden(err) {
		err = c.List(ctx, list, labels, client.InNamespace(names.OperatorNamespace))
	}
	if err != nil {
		return nil, fmt.Errorf("list the operators: %w", err)
	}
	found := slices.DeleteFunc(list.Items, func(d appsv1.Deployment) bool { return d.Name != names.Operator })
	slices.SortFunc(found, func(a, b appsv1.Deployment) int { return strings.Compare(order(a), order(b)) })
	return found, nil
}

// order is the text by which operators are ordered.
func order(d appsv1.Deployment) string {
	if d.Namespace == names.OperatorNamespace {
		return ""
	}
	return d.Namespace
}

// Elsewhere returns the namespace of an operator that is not in the default namespace, or "" if there is none.
func Elsewhere(ctx context.Context, c client.Reader) (string, error) {
	found, err := Find(ctx, c)
	if err != nil || len(found) == 0 || found[0].Namespace == names.OperatorNamespace {
		return "", err
	}
	return found[0].Namespace, nil
}
