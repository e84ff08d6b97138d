package peers

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

const (
	westDomain = "cluster.local"
	eastDomain = "east.example"
	// floodTime is how long a dishonest control plane sends requests, on floods streams.
	floodTime = 15 * time.Second
	floods    = 16
)

// TestHolderOfRootOfPeerIsAGuest signs certificates with the root of the west, as its administrator could, and connects to the peer gateway of the east.
func TestHolderOfRootOfPeerIsAGuest(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-hostile")
	h := newHolder(t)
	admittedAccount := identity.ServiceAccount{Namespace: s.namespace, Name: admitted}
	genuine := h.root.Genuine(admittedAccount, westDomain)
	exported := h.serverName(entity.Name{Namespace: s.namespace, Name: server}, lab.HTTPPort)
	controller := entity.Name{Namespace: names.DefaultNamespace, Name: names.Controller}
	for name, test := range map[string]struct {
		certificate pki.Names
		serverName  string
		want        string
	}{
		"an account that is admitted":        {genuine, exported, "200"},
		"another account":                    {h.root.Genuine(identity.ServiceAccount{Namespace: s.namespace, Name: other}, westDomain), exported, "closed"},
		"the control plane of the peer":      {h.root.Genuine(identity.ServiceAccount(controller), westDomain), exported, "closed"},
		"names of the other mesh":            {h.root.Genuine(admittedAccount, eastDomain), exported, "closed"},
		"names of both meshes":               {genuine.WithDNS(admittedAccount.Principal(eastDomain)), exported, "closed"},
		"a name below the other mesh":        {h.root.Genuine(admittedAccount, "x."+eastDomain), exported, "closed"},
		"a root of nobody":                   {pki.New(t).Genuine(admittedAccount, westDomain), exported, "closed"},
		"a Service that is not exported":     {genuine, h.serverName(entity.Name{Namespace: "default", Name: "kubernetes"}, 443), "closed"},
		"DNS of the cluster":                 {genuine, h.serverName(entity.Name{Namespace: "kube-system", Name: "kube-dns"}, 53), "closed"},
		"a port that is not exported":        {genuine, h.serverName(entity.Name{Namespace: s.namespace, Name: server}, lab.AgentPort), "closed"},
		"the server of sidecars":             {genuine, h.serverName(controller, names.ADSPort), "closed"},
		"the name of the server of sidecars": {genuine, names.ADSCommonName(eastDomain), "closed"},
		"the name inside the mesh":           {genuine, server + "." + s.namespace + ".svc.cluster.local", "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := h.ask(t, test.certificate, test.serverName); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestDishonestControlPlaneIsBounded opens many streams as the control plane of the west, and sends what no control plane sends. The control plane of the east
// keeps running, and no request between the meshes fails.
func TestDishonestControlPlaneIsBounded(t *testing.T) {
	lab.RequireFull(t)
	s := deployAdmitted(t, "peers-dishonest")
	h := newHolder(t)
	before := restarts(t)
	requests := s.startLoad(t)
	ctx, cancel := context.WithTimeout(t.Context(), floodTime)
	defer cancel()
	var flooding sync.WaitGroup
	var sent [floods]int
	for i := range floods {
		flooding.Go(func() { sent[i] = h.flood(ctx, t) })
	}
	flooding.Wait()
	requests.stop()
	total := 0
	for _, n := range sent {
		total += n
	}
	if total == 0 {
		t.Error("nothing was sent")
	}
	if after := restarts(t); after != before {
		t.Errorf("the control plane has restarted %d times, %d before", after, before)
	}
	t.Logf("%d messages of a dishonest control plane were accepted by the network", total)
	lab.Must(t, east.Put(t.Context(), s.policies()))
	s.awaitSuccess(t, admitted)
}

// restarts returns how often containers of the control plane in the east have restarted.
func restarts(t *testing.T) (count int32) {
	t.Helper()
	var pods corev1.PodList
	lab.Must(t, east.Client.List(t.Context(), &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: names.Controller}))
	for i := range pods.Items {
		for _, status := range pods.Items[i].Status.ContainerStatuses {
			count += status.RestartCount
		}
	}
	return count
}

// holder has the root of the west, and the address of the peer gateway of the east.
type holder struct {
	root    *pki.Authority
	address string
}

func newHolder(t *testing.T) holder {
	t.Helper()
	secret, gateway := &corev1.Secret{}, &corev1.Service{}
	lab.Must(t, west.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.CABundleSecret}, secret))
	lab.Must(t, east.Client.Get(t.Context(), client.ObjectKey{Namespace: names.DefaultNamespace, Name: names.PeerGateway}, gateway))
	return holder{
		root:    pki.Load(t, secret.Data[names.CABundleCert], secret.Data[names.CABundleKey]),
		address: fmt.Sprintf("%s:%d", gateway.Spec.ClusterIP, names.PeerGatewayPort),
	}
}

func (h holder) serverName(service entity.Name, port uint16) string {
	name, _ := identity.PeerServerName(service.Name, service.Namespace, port, eastDomain, westDomain)
	return name
}

func (h holder) config(t *testing.T, certificate pki.Names, serverName string, protocols ...string) *tls.Config {
	t.Helper()
	return &tls.Config{
		ServerName: serverName, NextProtos: protocols, Certificates: certificate.Issue(t), InsecureSkipVerify: true, // only the server's verification is under test
	}
}

// ask sends a request through the gateway and returns its status, or "closed".
func (h holder) ask(t *testing.T, certificate pki.Names, serverName string) string {
	t.Helper()
	plain, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", h.address)
	lab.Must(t, err)
	defer plain.Close()
	lab.Must(t, plain.SetDeadline(time.Now().Add(10*time.Second)))
	conn := tls.Client(plain, h.config(t, certificate, serverName, "osm"))
	_, _ = io.WriteString(conn, "GET /books HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		return "no answer"
	}
	if err != nil {
		return "closed"
	}
	defer response.Body.Close()
	return fmt.Sprint(response.StatusCode)
}

// flood sends messages as the control plane of the west until ctx ends: unknown names, long versions, 900 kB at once. It reads nothing, and returns how many
// were sent.
func (h holder) flood(ctx context.Context, t *testing.T) (sent int) {
	own := pki.Names{Authority: h.root, DNS: []string{names.ADSCommonName(westDomain)}}
	config := h.config(t, own, identity.DiscoveryServerName(eastDomain, westDomain), "h2")
	for ctx.Err() == nil {
		conn, err := grpc.NewClient("passthrough:///"+h.address, grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy())
		if err != nil {
			t.Error(err)
			return sent
		}
		stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
		for i := 0; err == nil; i++ {
			if err = stream.Send(nonsense(i)); err == nil {
				sent++
			}
		}
		_ = conn.Close()
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return sent
}

// nonsense returns one of several requests that no control plane sends.
func nonsense(i int) *discovery.DeltaDiscoveryRequest {
	long := strings.Repeat("x", 900_000)
	return []*discovery.DeltaDiscoveryRequest{
		{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", ResourceNamesSubscribe: []string{"*"}},
		{TypeUrl: "type.googleapis.com/envoy.config.listener.v3.Listener", ResourceNamesSubscribe: []string{"*"}},
		{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", ResponseNonce: long},
		{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", InitialResourceVersions: map[string]string{long: "1.x"}},
	}[i%4]
}
