package client

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Changes reads the latest changes of all replicas.
func (c *Client) Changes(ctx context.Context) ([]Answer[report.Changes], error) {
	return ask[report.Changes](ctx, c, report.ChangesPath)
}

// Loads reads the load reports of all replicas. Reading enables load reporting: the first result has averages since the last report, and those
// of the present are available 5 to 10 seconds later.
func (c *Client) Loads(ctx context.Context) ([]Answer[report.Loads], error) {
	return ask[report.Loads](ctx, c, report.LoadsPath)
}

// LoadSum is the sum of the load reports of a mesh.
type LoadSum struct {
	// Sidecars and Reporting only count sidecars of replicas that responded.
	Sidecars, Reporting int
	// Clients count the same sidecars by identity and revision. They are not sums: a client has one element for each replica.
	Clients []report.LoadClient
	// Loads are sorted by client, cluster and revision. Rate is the sum over replicas, Seconds the minimum. Average is true if one replica has
	// an average.
	Loads []report.Load
	// Unknown are the replicas that did not respond. Their loads are missing in Loads.
	Unknown []string
}

// Complete returns true if every sidecar has reported.
func (s LoadSum) Complete() bool { return len(s.Unknown) == 0 && s.Reporting == s.Sidecars }

// TotalLoads adds the load reports of all replicas. A client with sidecars on several replicas, or of several revisions, appears once.
func TotalLoads(answers []Answer[report.Loads]) LoadSum {
	return sumLoads(answers, func(report.Load) string { return "" })
}

// LoadsByRevision is like TotalLoads, with an element for each revision of the sidecars of a client.
func LoadsByRevision(answers []Answer[report.Loads]) LoadSum {
	return sumLoads(answers, func(l report.Load) string { return l.Revision })
}

func sumLoads(answers []Answer[report.Loads], revision func(report.Load) string) LoadSum {
	var sum LoadSum
	type key struct{ client, cluster, revision string }
	all := map[key]report.Load{}
	for _, answer := range answers {
		if answer.Err != nil {
			sum.Unknown = append(sum.Unknown, answer.Replica)
			continue
		}
		sum.Sidecars += answer.Value.Sidecars
		sum.Reporting += answer.Value.Reporting
		sum.Clients = append(sum.Clients, answer.Value.Clients...)
		for _, load := range answer.Value.Loads {
			load.Revision = revision(load)
			k := key{load.Client, load.Cluster, load.Revision}
			before, known := all[k]
			if known {
				load.Issued += before.Issued
				load.Succeeded += before.Succeeded
				load.Failed += before.Failed
				load.Rate += before.Rate
				load.Seconds = min(load.Seconds, before.Seconds)
				load.Average = load.Average || before.Average
			}
			load.Recent = nil // intervals of different clocks
			all[k] = load
		}
	}
	sum.Loads = slices.SortedFunc(maps.Values(all), func(a, b report.Load) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Revision, b.Revision))
	})
	return sum
}

// Replicas lists the running replicas of the control planes, including those of a canary, of pods that their Deployments created.
func (p ControlPlane) Replicas(reader client.Reader) func(context.Context) ([]Replica, error) {
	return func(ctx context.Context) ([]Replica, error) {
		pods, err := controllerPods(ctx, reader, p.Namespace)
		if err != nil {
			return nil, err
		}
		if pods, err = p.Owned(ctx, reader, pods); err != nil {
			return nil, err
		}
		return ReplicasOf(pods), nil
	}
}

// Pods is like ControlPlane.Replicas, but lists all pods with the labels of a replica. It is for clients that may list pods only, whose token
// reads reports and nothing else.
func Pods(reader client.Reader, namespace string) func(context.Context) ([]Replica, error) {
	return func(ctx context.Context) ([]Replica, error) {
		pods, err := controllerPods(ctx, reader, namespace)
		return ReplicasOf(pods), err
	}
}

// PodsExcept is like Pods, for a replica that reads the reports of all others.
func PodsExcept(own string, reader client.Reader, namespace string) func(context.Context) ([]Replica, error) {
	all := Pods(reader, namespace)
	return func(ctx context.Context) ([]Replica, error) {
		replicas, err := all(ctx)
		return slices.DeleteFunc(replicas, func(r Replica) bool { return r.Name == own }), err
	}
}

// controllerPods lists the running pods with the labels of a controller. Pods that are not ready are included, because they may still serve
// sidecars.
func controllerPods(ctx context.Context, reader client.Reader, namespace string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.InNamespace(namespace), client.HasLabels{names.AppLabel}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || names.Component(pod.Labels[names.AppLabel]) != names.Controller
	}), nil
}

// ReplicasOf converts pods to replicas, sorted by name.
func ReplicasOf(pods []corev1.Pod) []Replica {
	var replicas []Replica
	for i := range pods {
		replica := Replica{Name: pods[i].Name}
		if ips := pods[i].Status.PodIPs; len(ips) > 0 {
			replica.Address = net.JoinHostPort(ips[0].IP, strconv.Itoa(names.ReportPort))
		}
		replicas = append(replicas, replica)
	}
	slices.SortFunc(replicas, func(a, b Replica) int { return strings.Compare(a.Name, b.Name) })
	return replicas
}

// ObjectSum counts the acknowledgements of a policy in a mesh.
type ObjectSum struct {
	Sidecars, Acknowledged, Rejected int
	// RespondedAt is the time of the last answer. It is zero if a sidecar has not answered, or a replica is unknown.
	RespondedAt time.Time
	Laggards    []string
	// Unknown are the replicas that did not respond.
	Unknown []string
	// Outdated are the replicas with another generation of the policy than requested.
	Outdated []string
}

// Combine adds the acknowledgements of all replicas for a generation of a policy. Generation 0 accepts any generation. It returns
// ErrNotFound if no replica has the policy.
func Combine(answers []Answer[report.Object], generation int64) (ObjectSum, error) {
	var sum ObjectSum
	missing, responded := 0, len(answers) > 0
	for _, answer := range answers {
		if answer.Err != nil {
			if errors.Is(answer.Err, ErrNotFound) {
				missing++
			}
			sum.Unknown = append(sum.Unknown, answer.Replica)
			responded = false
			continue
		}
		object := answer.Value
		if generation != 0 && object.Generation != 0 && object.Generation != generation {
			sum.Outdated = append(sum.Outdated, answer.Replica)
			responded = false
			continue
		}
		sum.Sidecars += object.Sidecars
		sum.Acknowledged += object.Acknowledged
		sum.Rejected += object.Rejected
		sum.Laggards = append(sum.Laggards, object.Laggards...)
		switch {
		case object.RespondedAt == nil:
			responded = false
		case object.RespondedAt.After(sum.RespondedAt):
			sum.RespondedAt = *object.RespondedAt
		}
	}
	if missing > 0 && missing == len(answers) {
		return sum, ErrNotFound
	}
	if !responded || sum.Acknowledged+sum.Rejected < sum.Sidecars {
		sum.RespondedAt = time.Time{}
	}
	return sum, nil
}
