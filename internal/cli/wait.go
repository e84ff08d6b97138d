package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	reportclient "github.com/openservicemesh/osm-operator/internal/report/client"
)

// shortNames are those of kinds of policies.
var shortNames = map[string]string{"tt": "TrafficTarget", "htr": "HTTPRouteGroup", "tr": "TCPRoute", "ts": "TrafficSplit"}

// policyKind is the kind of policy by what users call it: the singular, the plural or a short name; empty for none.
func policyKind(text string) string {
	text = strings.ToLower(text)
	for _, source := range traffic.Sources() {
		plural, singular := meta.UnsafeGuessKindToResource(source.Object.GetObjectKind().GroupVersionKind())
		if text == plural.Resource || text == singular.Resource || shortNames[text] == string(source.Kind) {
			return string(source.Kind)
		}
	}
	return ""
}

// policyKinds are the kinds of policies as users write them.
func policyKinds() []string {
	var all []string
	for _, source := range traffic.Sources() {
		all = append(all, strings.ToLower(string(source.Kind)))
	}
	return all
}

func (a *app) waitCommand() *cobra.Command {
	var meshName string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait KIND/NAME...",
		Short: "Wait until policies are in force at every sidecar that they concern",
		Long: `Waits until all sidecars that a policy concerns have acknowledged its current version, and says how many they are and how long
it took. Kinds are traffictarget, httproutegroup, tcproute, trafficsplit, retry, upstreamtrafficsetting and backpressure. The exit
code is 1 when a sidecar rejects the policy, or not all have answered in time.`,
		Example: `  kubectl apply -f grant.yaml && osm wait -n bookstore traffictarget/bookthief-to-bookstore-v1`,
		Args:    atLeast(1, "the name of a policy"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			namespace, err := a.kube.Namespace()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return a.waitForAll(ctx, meshName, namespace, args)
		}),
	}
	cmd.ValidArgsFunction = a.completePolicies
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait")
	return cmd
}

// policyName reads "KIND/NAME", with or without the kind's group, as kubectl prints it.
func policyName(text string) (kind, name string, err error) {
	kind, name, found := strings.Cut(text, "/")
	plain, _, _ := strings.Cut(kind, ".")
	if known := policyKind(plain); found && known != "" && name != "" {
		return known, name, nil
	}
	return "", "", fmt.Errorf("%q is not the name of a policy: write KIND/NAME, such as traffictarget/NAME; the kinds are %s", text, strings.Join(policyKinds(), ", "))
}

// waitForAll waits for policies of a namespace, one after the other.
func (a *app) waitForAll(ctx context.Context, meshName, namespace string, policies []string) error {
	type policy struct{ kind, name string }
	var all []policy
	for _, text := range policies {
		kind, name, err := policyName(text)
		if err != nil {
			return err
		}
		all = append(all, policy{kind, name})
	}
	c, m, err := a.open(ctx, meshName, nil)
	if err != nil {
		return err
	}
	replicas := a.reports(ctx, c, m)
	for _, p := range all {
		if err := a.waitFor(ctx, c, replicas, p.kind, namespace, p.name); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) waitFor(ctx context.Context, c client.Client, replicas *reportclient.Client, kind, namespace, name string) error {
	p := a.progress()
	what := kind + " " + namespace + "/" + name
	last := "the control plane does not know it"
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		generation, err := generationOf(ctx, c, kind, namespace, name)
		if err != nil {
			return false, err
		}
		answers, err := replicas.Object(ctx, kind, namespace, name)
		if err != nil {
			return false, err
		}
		sum, err := reportclient.Combine(answers, generation)
		if errors.Is(err, reportclient.ErrNotFound) {
			p.say("%s", last)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		last = fmt.Sprintf("%d of %d sidecars have acknowledged it", sum.Acknowledged, sum.Sidecars)
		if len(sum.Unknown) > 0 {
			last += fmt.Sprintf("; these replicas do not answer: %s (%v)", strings.Join(sum.Unknown, ", "), firstError(answers))
		}
		if sum.Rejected > 0 {
			return false, fmt.Errorf("%s: %d of %d sidecars reject it: see their words with `osm proxy status -o wide`", what, sum.Rejected, sum.Sidecars)
		}
		if len(sum.Outdated) > 0 {
			last += "; these replicas have not seen its newest version: " + strings.Join(sum.Outdated, ", ")
		}
		p.say("%s", last)
		return !sum.Settled.IsZero() && len(sum.Unknown) == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s is not in force everywhere after %s: %s", what, p.elapsed(), last)
	}
	if err == nil {
		a.line("%s is in force: %s (%s)", what, last, p.elapsed())
	}
	return err
}

// generationOf is the current generation of a policy, by which a replica that still speaks of an older version is known. It is
// 0, which compares with nothing, for somebody who may ask the control plane and not read the policy.
func generationOf(ctx context.Context, c client.Client, kind, namespace, name string) (int64, error) {
	for _, source := range traffic.Sources() {
		if string(source.Kind) != kind {
			continue
		}
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(source.Object.GetObjectKind().GroupVersionKind())
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
		switch {
		case apierrors.IsNotFound(err):
			return 0, fmt.Errorf("there is no %s %s/%s: create it first", kind, namespace, name)
		case apierrors.IsForbidden(err):
			return 0, nil
		}
		return object.GetGeneration(), err
	}
	return 0, nil
}
