package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/report/client"
)

// Target is the revision to observe.
type Target struct {
	Namespace   string
	Version     string
	TrustDomain string
	// Roots are the certificates (PEM) of the mesh's certificate authority.
	Roots []byte
	// Suffixes are the name suffixes of the Deployments to observe. None means the active ones, whose suffix is empty.
	Suffixes []string
}

// Reader observes revisions.
type Reader struct {
	// Pods reads the pods of control planes.
	Pods kube.Reader
	// Token returns a bearer token for a replica, whose user may get the report.
	Token func(context.Context, client.Replica) (string, error)
	// Unauthorized is called with a token that a replica does not accept; nil for none.
	Unauthorized func(replica client.Replica, token string)
}

// Read observes a revision. A part that cannot be observed is absent.
func (r *Reader) Read(ctx context.Context, s Target) (Observation, error) {
	var observation Observation
	pods, err := r.pods(ctx, s)
	if err != nil {
		return observation, err
	}
	observation.Restarts = containerRestarts(pods)
	replicas := replicasOf(pods, s.apps(names.Controller))
	reporter := r.reporter(s, replicas)
	// A revision without reachable replicas leaves these parts absent.
	if proxies, err := reporter.Proxies(ctx); err == nil {
		observation.setProxies(proxies)
	}
	if loads, err := reporter.Loads(ctx); err == nil {
		observation.setRequests(loads)
		observation.LoadReportsUnsupported = slices.ContainsFunc(loads, func(a client.Answer[report.Loads]) bool { return errors.Is(a.Err, client.ErrOlder) })
	}
	return observation, nil
}

// reporter reads the reports of replicas.
func (r *Reader) reporter(s Target, replicas []client.Replica) *client.Client {
	return client.New(client.Config{
		Replicas: func(context.Context) ([]client.Replica, error) { return replicas, nil },
		Token:    r.Token, Unauthorized: r.Unauthorized,
		Roots:       func() ([]byte, error) { return s.Roots, nil },
		TrustDomain: s.TrustDomain,
	})
}

// pods lists the pods of the revision by version: during a takeover two revisions share the names of Deployments.
func (r *Reader) pods(ctx context.Context, s Target) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := r.Pods.List(ctx, &list, kube.InNamespace(s.Namespace), kube.MatchingLabels{names.VersionLabel: s.Version}); err != nil {
		return nil, fmt.Errorf("the pods of version %s cannot be listed: %w", s.Version, err)
	}
	apps := s.apps(names.Controller, names.Injector)
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || !slices.Contains(apps, p.Labels[names.AppLabel])
	}), nil
}

// apps are the app labels of the pods of components.
func (s Target) apps(components ...string) []string {
	suffixes := s.Suffixes
	if len(suffixes) == 0 {
		suffixes = []string{""}
	}
	var apps []string
	for _, suffix := range suffixes {
		for _, component := range components {
			apps = append(apps, names.WithSuffix(component, suffix))
		}
	}
	return apps
}

// replicasOf returns the running controllers, sorted by name.
func replicasOf(pods []corev1.Pod, controllers []string) []client.Replica {
	var replicas []client.Replica
	for i := range pods {
		pod := &pods[i]
		if !slices.Contains(controllers, pod.Labels[names.AppLabel]) || pod.Status.Phase != corev1.PodRunning || len(pod.Status.PodIPs) == 0 {
			continue
		}
		address := net.JoinHostPort(pod.Status.PodIPs[0].IP, strconv.Itoa(names.ReportPort))
		replicas = append(replicas, client.Replica{Name: pod.Name, Address: address, Audience: pod.Annotations[names.ReportAudienceAnnotation]})
	}
	slices.SortFunc(replicas, func(a, b client.Replica) int { return strings.Compare(a.Name, b.Name) })
	return replicas
}
