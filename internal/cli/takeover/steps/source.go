package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// FindSource returns the Open Service Mesh in a namespace, or the only one.
func FindSource(ctx context.Context, c client.Client, from string) (takeover.Installation, error) {
	all, err := takeover.List(ctx, c)
	if err != nil {
		return takeover.Installation{}, err
	}
	all = slices.DeleteFunc(all, func(i takeover.Installation) bool { return i.Name != names.Controller })
	var found []string
	for _, i := range all {
		if i.Namespace == from || from == "" && len(all) == 1 {
			return i, nil
		}
		found = append(found, i.Namespace)
	}
	switch {
	case len(all) == 0:
		return takeover.Installation{}, errors.New("no Open Service Mesh runs in this cluster: to use what a removed one has left, see docs/migration.md")
	case from == "":
		return takeover.Installation{}, fmt.Errorf("several Open Service Meshes run in this cluster: name the namespace of one with --from (%s)", strings.Join(found, ", "))
	}
	return takeover.Installation{}, fmt.Errorf("no Open Service Mesh runs in namespace %s: name another with --from (%s)", from, strings.Join(found, ", "))
}
