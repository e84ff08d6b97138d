package explain

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
)

// Question asks whether one party may call another.
type Question struct {
	From, To Reference
	// Method and Path are empty for any request.
	Method, Path string
	Headers      []authz.Header
	// ServerName is what a client with TLS asks for: a Host header, or the host of a URL with https. Empty stands for the names of all TLSRoutes.
	ServerName string `json:",omitempty"`
	// Outside is the destination if it is a URL that is not about the mesh.
	Outside *authz.EgressRequest `json:"-"`
	// WithoutRemedy omits the search for policies that would allow a denied request, which takes most of the time.
	WithoutRemedy bool `json:"-"`
}

// ParseQuestion parses "A -> B [METHOD] [PATH]". The arrow may be "->" or "to", or left out. headers have the form "name: value".
func ParseQuestion(args, headers []string, namespace string) (Question, error) {
	if len(args) > 0 && args[len(args)-1] == "-" {
		return Question{}, errors.New("the shell interpreted > as a redirection: quote the question, or use \"to\" instead of the arrow")
	}
	words := strings.Fields(strings.NewReplacer("->", " ", "→", " ").Replace(strings.Join(args, " ")))
	if i := slices.Index(words, "to"); i == 1 {
		words = slices.Delete(words, 1, 2)
	}
	if len(words) < 2 {
		return Question{}, errors.New("source and destination are required: usage: osm explain A to B, such as osm explain shop/till to shop/web GET /books")
	}
	var q Question
	var err error
	if q.From, err = ParseReference(words[0], namespace); err != nil {
		return q, err
	}
	q.ServerName = serverNameOf(words[1])
	if words, q.Outside, err = splitURL(words); err != nil {
		return q, err
	}
	if q.To, err = ParseReference(words[1], namespace); err != nil {
		return q, err
	}
	if q.To.Peer != "" {
		return q, fmt.Errorf("%s is an account of a peer, which can only be the source. Services of a peer have their name in this cluster: use NAMESPACE/NAME of an imported Service", q.To)
	}
	if err := q.request(words[2:]); err != nil {
		return q, err
	}
	for _, header := range headers {
		name, value, found := strings.Cut(header, ":")
		if !found || strings.TrimSpace(name) == "" {
			return q, fmt.Errorf("invalid header %q: must be \"name: value\"", header)
		}
		q.Headers = append(q.Headers, authz.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
		if strings.EqualFold(strings.TrimSpace(name), "host") {
			q.ServerName, _, _ = strings.Cut(strings.TrimSpace(value), ":")
		}
	}
	return q, nil
}

// serverNameOf returns the name that a client with TLS asks for if a destination is its URL.
func serverNameOf(destination string) string {
	address, err := url.Parse(destination)
	if err != nil || address.Scheme != "https" {
		return ""
	}
	return address.Hostname()
}

// splitURL replaces a destination that is a URL by its host, and adds its path to the request. It also returns the destination as one
// outside the mesh.
func splitURL(words []string) ([]string, *authz.EgressRequest, error) {
	if !strings.Contains(words[1], "://") {
		return words, nil, nil
	}
	address, err := url.Parse(words[1])
	if err != nil || address.Hostname() == "" {
		return nil, nil, fmt.Errorf("invalid URL %.80q: use a name such as shop/web, or a URL such as http://web.shop:8080/books", words[1])
	}
	replaced := append([]string{words[0], address.Host}, words[2:]...)
	if path := address.RequestURI(); path != "/" && address.Scheme != "tcp" {
		replaced = append(replaced, path)
	}
	return replaced, outsideOf(address), nil
}

// request parses "[METHOD] [PATH]". Of a URL, it uses path and query.
func (q *Question) request(words []string) error {
	for _, word := range words {
		switch {
		case strings.Contains(word, "://"):
			address, err := url.Parse(word)
			if err != nil {
				return fmt.Errorf("invalid URL %s: %w", word, err)
			}
			q.Path = address.RequestURI()
		case strings.HasPrefix(word, "/"):
			q.Path = word
		case q.Method == "" && q.Path == "" && slices.Contains(methods, strings.ToUpper(word)):
			q.Method = strings.ToUpper(word)
		case q.Method == "" && q.Path == "":
			return fmt.Errorf("%.40q is not a method of HTTP: use one of %s, or a path that begins with /", word, strings.Join(common, ", "))
		case q.Path == "":
			return fmt.Errorf("a path begins with /: use /%.80s instead of %.80s", word, word)
		default:
			return fmt.Errorf("unexpected argument %.80q: usage: A to B METHOD PATH", word)
		}
	}
	switch {
	case q.Method != "" && q.Path == "":
		q.Path = "/"
	case q.Method == "" && q.Path != "":
		q.Method = "GET"
	}
	return nil
}

// common are the methods of HTTP. methods also has those of WebDAV and caches. Other words are typing errors rather than private methods.
var (
	common  = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
	methods = append(slices.Clone(common), "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "PURGE", "REPORT", "SEARCH", "UNLOCK")
)

// hasRequest returns true if the question is about one request.
func (q Question) hasRequest() bool { return q.Path != "" }

// Reference names a pod, workload, service account or Service.
type Reference struct {
	// Kind is the singular kind in lower case, or empty.
	Kind            string
	Namespace, Name string
	// Peer is the name of the MeshPeer if this is an account of a peer. It is empty for what is in this cluster.
	Peer string
	// Port is 0 if it is not specified.
	Port uint16
	text string
}

// String returns the text that the user entered.
func (r Reference) String() string { return r.text }

// Kinds of references, besides Workloads.
const (
	KindPod            = "pod"
	KindService        = "service"
	KindServiceAccount = "serviceaccount"
)

// aliases maps kind names and short names to kinds.
var aliases = map[string]string{
	"pod": KindPod, "pods": KindPod, "po": KindPod,
	"service": KindService, "services": KindService, "svc": KindService,
	"serviceaccount": KindServiceAccount, "serviceaccounts": KindServiceAccount, "sa": KindServiceAccount,
	"deployment": "deployment", "deployments": "deployment", "deploy": "deployment",
	"statefulset": "statefulset", "statefulsets": "statefulset", "sts": "statefulset",
	"daemonset": "daemonset", "daemonsets": "daemonset", "ds": "daemonset",
	"replicaset": "replicaset", "replicasets": "replicaset", "rs": "replicaset",
	"job": "job", "jobs": "job", "cronjob": "cronjob", "cronjobs": "cronjob", "cj": "cronjob",
}

// KindNamed returns the kind of a reference by one of its names, such as deploy.
func KindNamed(text string) (string, bool) {
	kind, known := aliases[strings.ToLower(text)]
	return kind, known
}

// Workloads are the workload kinds, in the order in which a name without a kind is tried.
var Workloads = []string{"deployment", "statefulset", "daemonset", "job", "cronjob", "replicaset"}

// ParseReference parses "[NAMESPACE/][KIND/]NAME[:PORT]", the DNS name of a Service, "NAME.NAMESPACE[:PORT]", an IP address with or
// without a port, or an account of a peer, "PEER/NAMESPACE/sa/NAME".
func ParseReference(text, namespace string) (Reference, error) {
	r := Reference{Namespace: namespace, text: text}
	rest, port, found := strings.Cut(text, ":")
	if address, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		rest, found = address.String(), false
	} else if addressed, err := netip.ParseAddrPort(text); err == nil {
		rest, port = addressed.Addr().String(), strconv.Itoa(int(addressed.Port()))
	}
	if found {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return r, fmt.Errorf("%s: invalid port %q: must be a number from 1 to 65535", text, port)
		}
		r.Port = uint16(number)
	}
	parts := strings.Split(rest, "/")
	if len(parts) == 4 && !slices.Contains(parts, "") {
		return r.ofPeer(parts)
	}
	if len(parts) > 3 || slices.Contains(parts, "") {
		return r, fmt.Errorf("invalid name %q: use NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME, such as shop/web, sa/web or shop/deploy/web", text)
	}
	r.Name = parts[len(parts)-1]
	if _, err := netip.ParseAddr(r.Name); err == nil {
		return r, nil
	}
	switch len(parts) {
	case 1:
		r.host()
	case 2:
		if kind, known := aliases[strings.ToLower(parts[0])]; known {
			r.Kind = kind
		} else {
			r.Namespace = parts[0]
		}
	case 3:
		kind, known := aliases[strings.ToLower(parts[1])]
		if !known {
			return r, fmt.Errorf("%s: unknown kind %q: use pod, svc, sa, deploy, sts, ds, job, cronjob or rs", text, parts[1])
		}
		r.Namespace, r.Kind = parts[0], kind
	}
	return r, nil
}

// ofPeer parses an account of a peer.
func (r Reference) ofPeer(parts []string) (Reference, error) {
	if aliases[strings.ToLower(parts[2])] != KindServiceAccount || r.Port != 0 {
		return r, fmt.Errorf("invalid name %q: of a peer, only service accounts are known: use PEER/NAMESPACE/sa/NAME, such as west/shop/sa/web", r.text)
	}
	r.Peer, r.Namespace, r.Kind, r.Name = parts[0], parts[1], KindServiceAccount, parts[3]
	return r, nil
}

// host parses the DNS name of a Service.
func (r *Reference) host() {
	labels := strings.Split(r.Name, ".")
	if len(labels) < 2 {
		return
	}
	if len(labels) == 2 || labels[2] == "svc" {
		r.Kind, r.Name, r.Namespace = KindService, labels[0], labels[1]
	}
}
