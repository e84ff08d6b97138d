package client

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Pods lists the running controller pods in a namespace, sorted by name, including those of a canary. Pods that are not ready are included,
// because they may still serve sidecars.
func Pods(reader client.Reader, namespace string) func(context.Context) ([]Replica, error) {
	return func(ctx context.Context) ([]Replica, error) {
		var pods corev1.PodList
		if err := reader.List(ctx, &pods, client.InNamespace(namespace), client.HasLabels{names.AppLabel}); err != nil {
			return nil, err
		}
		var replicas []Replica
		for _, pod := range pods.Items {
			if pod.Status.Phase != corev1.PodRunning || names.Component(pod.Labels[names.AppLabel]) != names.Controller {
				continue
			}
			replica := Replica{Name: pod.Name, Audience: pod.Annotations[names.ReportAudienceAnnotation]}
			if len(pod.Status.PodIPs) > 0 {
				replica.Address = net.JoinHostPort(pod.Status.PodIPs[0].IP, strconv.Itoa(names.ReportPort))
			}
			replicas = append(replicas, replica)
		}
		slices.SortFunc(replicas, func(a, b Replica) int { return strings.Compare(a.Name, b.Name) })
		return replicas, nil
	}
}
