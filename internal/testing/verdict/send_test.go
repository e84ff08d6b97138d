package verdict

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "k8s.io/apimachinery/pkg/util/json"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// responseTimeout limits waiting for a response. Responses in the mesh are fast, so a missing one is a failure in any case.
const responseTimeout = 10 * time.Second

// clientDelay is how long a client of a server-first protocol waits before it sends data.
const clientDelay = 300 * time.Millisecond

// Observations other than a status code or the name of an application.
const (
	closed  = "closed"
	refused = "refused"
)

// send sends a request and returns the application's observation: "<pod>:<port>" of the application that responds, the status
// of a sidecar's response, closed, or refused.
func (n *Network) send(r Request) string { return n.sendWithin(responseTimeout, r) }

// sendWithin is send with another time limit for the response.
func (n *Network) sendWithin(limit time.Duration, r Request) string {
	conn, err := n.dial(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return closed // the sidecar closed the listener before it accepted the connection
	}
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err.Error()
	}
	if r.Client.Peer != "" {
		if conn, err = n.secured(conn, r.Client); err != nil {
			return describeEnd(err)
		}
	}
	switch r.protocol() {
	case inventory.ProtocolHTTP:
		if !r.From.IsValid() && n.control.osm[pods[r.Pod].name] != "" {
			return sendHTTP(conn, r, ofOSM)
		}
		return sendHTTP(conn, r, ofMesh)
	case inventory.ProtocolTCP:
		_, _ = conn.Write(append(clientHello(r.ServerName), "hello\n"...))
	case inventory.ProtocolTCPServerFirst:
		// A sidecar waits up to 15 seconds for the first bytes of a plaintext connection before it closes it.
		nudge := time.AfterFunc(clientDelay, func() { _, _ = io.WriteString(conn, "hello\n") })
		defer nudge.Stop()
	}
	return readLine(conn)
}

// dial connects. The kernel keeps the NAT decision of a failed connection for two minutes. If a sidecar tried to reach an
// unassigned address and the application gets the same source port, its connection is not redirected. Then dial retries with
// another port.
func (n *Network) dial(r Request) (conn net.Conn, err error) {
	const tries = 3
	for range tries {
		if r.From.IsValid() {
			return n.outside.NS.DialFrom(r.From, r.To.String())
		}
		conn, err = n.pods[r.Pod].NS.Dial(context.Background(), "tcp", r.To.String())
		if !errors.Is(err, syscall.ENETUNREACH) {
			break
		}
	}
	return conn, err
}

// readLine returns the first line of the response.
func readLine(conn net.Conn) string {
	text, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return describeEnd(err)
	}
	return strings.TrimSuffix(text, "\n")
}

// describeEnd returns how a connection ended before a response.
func describeEnd(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("nothing in %s", responseTimeout)
	}
	return closed
}

// noBackendOfOSM is the observation of a status 503 without a body at a sidecar of Open Service Mesh. It answers so when a backend does not exist, which is
// status 500 elsewhere, and servers answer so when their authorization server is unavailable.
const noBackendOfOSM = "500 or 503"

// ofOSM returns the observation of a response with a sidecar of Open Service Mesh. That to a HEAD without a body has no length.
func ofOSM(answer *http.Response) string {
	if answer.StatusCode == http.StatusServiceUnavailable && answer.ContentLength <= 0 {
		return noBackendOfOSM
	}
	return ofMesh(answer)
}

// ofMesh returns the observation of a response: the application that answers, or the status.
func ofMesh(answer *http.Response) string {
	if pod := answer.Header.Get(podHeader); pod != "" && answer.StatusCode == http.StatusOK {
		return pod
	}
	return fmt.Sprint(answer.StatusCode)
}

// sendHTTP writes the request unchanged, because a library would normalize it, and returns the observation of the response.
func sendHTTP(conn net.Conn, r Request, observe func(*http.Response) string) string {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\n", r.Method, r.Path)
	for _, h := range r.Headers {
		name := h.Name
		if name == ":authority" {
			name = "Host"
		}
		fmt.Fprintf(&head, "%s: %s\r\n", name, h.Value)
	}
	head.WriteString("Content-Length: 0\r\nConnection: close\r\n\r\n")
	_, _ = io.WriteString(conn, head.String())
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return describeEnd(err)
	}
	defer answer.Body.Close()
	return observe(answer)
}

// read returns the entries of a control plane that has read the objects.
func read(c *reference.Cluster) State {
	entries := State{}
	settings, _ := ingest.MeshConfig(&c.MeshConfig)
	entries.add(settings)
	for i := range c.Namespaces {
		namespace, _ := ingest.Namespace(&c.Namespaces[i], meshName)
		entries.add(namespace)
	}
	for i := range c.Pods {
		entries.add(ingest.Pod(&c.Pods[i]))
	}
	for i := range c.Services {
		service, _ := ingest.Service(&c.Services[i])
		entries.add(service)
	}
	for i := range c.EndpointSlices {
		slice, _ := ingest.EndpointSlice(&c.EndpointSlices[i])
		entries.add(slice)
	}
	readPolicies(entries, c.TrafficTargets, ingest.TrafficTarget)
	readPolicies(entries, c.HTTPRouteGroups, ingest.HTTPRouteGroup)
	readPolicies(entries, c.TCPRoutes, ingest.TCPRoute)
	readPolicies(entries, c.TrafficSplits, ingest.TrafficSplit)
	readPolicies(entries, c.IngressBackends, ingressbackend.Read)
	readPolicies(entries, c.HTTPRoutes, ingest.HTTPRoute)
	readPolicies(entries, c.TLSRoutes, ingest.TLSRoute)
	readPolicies(entries, c.ConnectionRoutes, ingest.GatewayTCPRoute)
	readPolicies(entries, c.ReferenceGrants, ingest.ReferenceGrant)
	return entries
}

func (w State) add(e catalog.Entry) { w[e.Ref()] = e }

// readPolicies adds the entries of the policies that are usable.
func readPolicies[T any, E interface {
	comparable
	catalog.Entry
}](entries State, objects []T, ingest func(*unstructured.Unstructured) (E, []ingest.Problem),
) {
	var none E
	for _, object := range objects {
		if entry, _ := ingest(asUnstructured(object)); entry != none {
			entries.add(entry)
		}
	}
}

// asUnstructured returns an object as the API server would return it.
func asUnstructured(object any) *unstructured.Unstructured {
	text, err := json.Marshal(object)
	u := &unstructured.Unstructured{}
	if err == nil {
		err = kubejson.Unmarshal(text, &u.Object)
	}
	if err != nil {
		panic(fmt.Sprintf("%T cannot be converted: %v", object, err))
	}
	return u
}

// failure is an unexpected observation, or an edit that a sidecar rejects.
type failure struct {
	text    string
	before  State
	edit    []catalog.Change
	request Request
}

func (s *step) failure(r Request, text string) *failure {
	return &failure{text: text, before: s.before.state, edit: s.edit, request: r}
}

// unexpected returns the failure for an observation.
func (s *step) unexpected(sample sample, when string) *failure {
	r := s.requests[sample.request]
	return s.failure(r, fmt.Sprintf("%s, %s sees %q\n  before: %s\n  after:  %s\n  (%s after the edit, which was acknowledged after %s)",
		when, r, sample.seen, s.old[sample.request], s.new[sample.request],
		sample.start.Sub(s.applied).Round(time.Millisecond), s.acknowledged.Sub(s.applied).Round(time.Millisecond)))
}

// String describes the failure, with the mesh and the edit as YAML.
func (f *failure) String() string {
	var text strings.Builder
	text.WriteString(f.text + "\n---\n# the mesh before the edit\n" + f.before.String() + "---\n# the edit\n")
	for _, c := range changes(f.before, f.before.with(f.edit)) {
		text.WriteString(document(c.Ref, c.Entry))
	}
	return text.String()
}

// repeated is how often the request of a failure is sent, to reproduce a race.
const repeated = 5

// reduced removes all objects from the mesh and the edit that are not needed to reproduce the failure. Rapid's shrinking needs
// hundreds of meshes, which takes too long with real sidecars.
//
// Requests that get no answer make each attempt slow, so it ends after reductionLimit with what it has.
func (n *Network) reduced(f *failure) *failure {
	enough := time.Now().Add(reductionLimit)
	for i := 0; len(f.edit) > 1 && i < len(f.edit) && time.Now().Before(enough); i++ {
		if g := n.again(f.before, slices.Delete(slices.Clone(f.edit), i, i+1), f.request); g != nil {
			f, i = g, -1
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(f.before), compareRefs) {
		if ref.Kind == entity.KindPod || time.Now().After(enough) {
			continue
		}
		without := f.before.with([]catalog.Change{{Ref: ref}})
		if g := n.again(without, f.edit, f.request); g != nil {
			f = g
		}
	}
	return f
}

// reductionLimit is how long a failure is reduced. The tests of the package would exceed their time otherwise, and report nothing.
const reductionLimit = 2 * time.Minute

// again reports whether a request fails again in a mesh.
func (n *Network) again(w State, edit []catalog.Change, r Request) *failure {
	if problem := n.reset(w); problem != "" {
		return nil
	}
	return n.try(edit, slices.Repeat([]Request{r}, repeated))
}
