package lab

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reachTimeout is the time limit of one connection. A connection to the address of a pod that is gone gets no response at all.
const reachTimeout = 2 * time.Second

// reach describes whether this machine, where the API server runs, can connect to the Services of a namespace, by their own addresses and by those of their
// endpoints. The two differ while the node has not seen a change of the endpoints.
func (c *Cluster) reach(ctx context.Context, namespace string) string {
	var services corev1.ServiceList
	if err := c.Client.List(ctx, &services, client.InNamespace(namespace)); err != nil {
		return err.Error()
	}
	text := ""
	for _, service := range services.Items {
		for _, port := range service.Spec.Ports {
			if net.ParseIP(service.Spec.ClusterIP) != nil && port.Protocol == corev1.ProtocolTCP {
				text += fmt.Sprintf("Service %s: %s\n", service.Name, connections(ctx, service.Spec.ClusterIP, port.Port))
			}
		}
		text += c.reachEndpoints(ctx, &service)
	}
	return text
}

func (c *Cluster) reachEndpoints(ctx context.Context, service *corev1.Service) string {
	var list discoveryv1.EndpointSliceList
	if err := c.Client.List(ctx, &list, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name}); err != nil {
		return err.Error()
	}
	text := ""
	for _, slice := range list.Items {
		changed := time.Time{}
		for _, fields := range slice.ManagedFields {
			if fields.Time != nil && fields.Time.After(changed) {
				changed = fields.Time.UTC()
			}
		}
		text += fmt.Sprintf("  EndpointSlice %s changed at %s\n", slice.Name, changed.Format(time.TimeOnly))
		for _, endpoint := range slice.Endpoints {
			var results []string
			for _, port := range slice.Ports {
				if ptr.Deref(port.Protocol, corev1.ProtocolTCP) != corev1.ProtocolTCP {
					continue
				}
				results = append(results, connections(ctx, endpoint.Addresses[0], ptr.Deref(port.Port, 0)))
			}
			text += fmt.Sprintf("    ready=%t terminating=%t %s\n", ptr.Deref(endpoint.Conditions.Ready, true), ptr.Deref(endpoint.Conditions.Terminating, false), strings.Join(results, ", "))
		}
	}
	return text
}

// connections describes three connections, because a Service selects one of its endpoints each time.
func connections(ctx context.Context, host string, port int32) string {
	address := net.JoinHostPort(host, strconv.Itoa(int(port)))
	for range 3 {
		if err := Dial(ctx, address); err != nil {
			return fmt.Sprintf("%s cannot be reached at %s: %v", address, time.Now().UTC().Format(time.TimeOnly), err)
		}
	}
	return address + " accepts connections"
}

// Dial connects from this machine to a TCP server, and closes the connection.
func Dial(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: reachTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
