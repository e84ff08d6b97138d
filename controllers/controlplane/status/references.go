package status

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// unresolved returns a finder for the references of a new object to what does not exist. What people apply together exists a moment later, so
// the messages say that it does not exist yet.
func unresolved[E comparable](
	read func(*unstructured.Unstructured) (E, []ingest.Problem), find func(context.Context, client.Reader, E) ([]ingest.Problem, error),
) relatedFinder {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) []ingest.Problem {
		var none E
		policy, _ := read(object)
		if policy == none {
			return nil
		}
		problems, err := find(ctx, reader, policy)
		if err != nil {
			return nil
		}
		for i := range problems {
			problems[i].Message = strings.Replace(problems[i].Message, " does not exist, ", " does not exist yet, ", 1)
		}
		return problems
	}
}

// unresolvedTarget returns the references of a TrafficTarget to accounts, routes and ports that do not exist.
func unresolvedTarget(ctx context.Context, reader client.Reader, target *catalog.TrafficTarget) ([]ingest.Problem, error) {
	missing, err := unresolvedAccounts(ctx, reader, target)
	if err != nil {
		return nil, err
	}
	for _, rule := range target.Rules {
		problems, err := unresolvedRoute(ctx, reader, target.Name.Namespace, rule)
		if err != nil {
			return nil, err
		}
		missing = append(missing, problems...)
	}
	unmatched, err := unmatchedPorts(ctx, reader, target)
	return append(missing, unmatched...), err
}

// unresolvedSplit returns the references of a TrafficSplit to Services and groups that do not exist.
func unresolvedSplit(ctx context.Context, reader client.Reader, split *catalog.TrafficSplit) ([]ingest.Problem, error) {
	missing, _, err := unresolvedSplitRefs(ctx, reader, split)
	return missing, err
}

// unresolvedSetting returns the Service of an UpstreamTrafficSetting if it does not exist, and the limits for paths that no HTTPRouteGroup has.
func unresolvedSetting(ctx context.Context, reader client.Reader, setting *catalog.UpstreamTrafficSetting) ([]ingest.Problem, error) {
	if setting.Service == (catalog.Name{}) {
		return nil, nil
	}
	missing, err := unresolvedService(ctx, reader, setting.Service)
	if err != nil {
		return nil, err
	}
	unmatched, err := unmatchedRoutes(ctx, reader, setting)
	return append(missing, unmatched...), err
}

// unresolvedExtension returns a function that finds why the ExtensionService of an ExternalAuthorization cannot be used.
func unresolvedExtension(namespace string) func(context.Context, client.Reader, *catalog.ExternalAuthorizationPolicy) ([]ingest.Problem, error) {
	return func(ctx context.Context, reader client.Reader, policy *catalog.ExternalAuthorizationPolicy) ([]ingest.Problem, error) {
		_, missing, err := extensionService(ctx, reader, policy.Name.Namespace, namespace, policy.Service, effectWithoutService(policy))
		return missing, err
	}
}

// effectWithoutService describes what happens to requests without an answer.
func effectWithoutService(policy *catalog.ExternalAuthorizationPolicy) string {
	if policy.FailureModeAllow {
		return "no request is sent to it, and all are allowed"
	}
	return "requests get status 503"
}
