package explain_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

func TestParseQuestion(t *testing.T) {
	web := explain.Reference{Namespace: "shop", Name: "web"}
	till := explain.Reference{Namespace: "mine", Name: "till"}
	tests := map[string]struct {
		args, headers []string
		want          explain.Question
	}{
		"words":            {[]string{"till", "to", "shop/web"}, nil, explain.Question{From: till, To: web}},
		"an arrow":         {[]string{"till", "->", "shop/web"}, nil, explain.Question{From: till, To: web}},
		"one word":         {[]string{"till->shop/web"}, nil, explain.Question{From: till, To: web}},
		"a quoted arrow":   {[]string{"till → shop/web GET /x"}, nil, explain.Question{From: till, To: web, Method: "GET", Path: "/x"}},
		"no arrow":         {[]string{"till", "shop/web", "post", "/x"}, nil, explain.Question{From: till, To: web, Method: "POST", Path: "/x"}},
		"a path alone":     {[]string{"till", "shop/web", "/x?y=1"}, nil, explain.Question{From: till, To: web, Method: "GET", Path: "/x?y=1"}},
		"a method alone":   {[]string{"till", "shop/web", "HEAD"}, nil, explain.Question{From: till, To: web, Method: "HEAD", Path: "/"}},
		"a URL":            {[]string{"till", "shop/web", "GET", "http://web.shop/x?y"}, nil, explain.Question{From: till, To: web, Method: "GET", Path: "/x?y"}},
		"headers":          {[]string{"till", "shop/web", "/x"}, []string{"a: b", "c:d"}, explain.Question{From: till, To: web, Method: "GET", Path: "/x", Headers: []authz.Header{{Name: "a", Value: "b"}, {Name: "c", Value: "d"}}}},
		"kinds":            {[]string{"po/till", "to", "shop/SVC/web:80"}, nil, explain.Question{From: explain.Reference{Kind: "pod", Namespace: "mine", Name: "till"}, To: explain.Reference{Kind: "service", Namespace: "shop", Name: "web", Port: 80}}},
		"a host":           {[]string{"sa/till", "to", "web.shop.svc.cluster.local:8080"}, nil, explain.Question{From: explain.Reference{Kind: "serviceaccount", Namespace: "mine", Name: "till"}, To: explain.Reference{Kind: "service", Namespace: "shop", Name: "web", Port: 8080}}},
		"a URL to call":    {[]string{"till", "to", "http://web.shop:8080/x?y"}, nil, explain.Question{From: till, To: explain.Reference{Kind: "service", Namespace: "shop", Name: "web", Port: 8080}, Method: "GET", Path: "/x?y", Outside: &authz.EgressRequest{Host: "web.shop", Port: 8080, Protocol: inventory.ProtocolHTTP}}},
		"of a peer":        {[]string{"west/shop/sa/till", "to", "shop/web"}, nil, explain.Question{From: explain.Reference{Peer: "west", Kind: "serviceaccount", Namespace: "shop", Name: "till"}, To: web}},
		"a destination to": {[]string{"till", "to", "to"}, nil, explain.Question{From: till, To: explain.Reference{Namespace: "mine", Name: "to"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := explain.ParseQuestion(test.args, test.headers, "mine")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(explain.Reference{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseQuestionRejects(t *testing.T) {
	tests := []struct{ args, header, want string }{
		{"till", "", "source and destination are required"},
		{"till -", "", "the shell interpreted > as a redirection"},
		{"till shop/web:x", "", "must be a number from 1 to 65535"},
		{"till a/b/c/d", "", "of a peer, only service accounts are known"},
		{"west/shop/deploy/till shop/web", "", "of a peer, only service accounts are known"},
		{"west/shop/sa/till:80 shop/web", "", "of a peer, only service accounts are known"},
		{"till west/shop/sa/web", "", "west/shop/sa/web is an account of a peer, which can only be the source"},
		{"till a/b/c/d/e", "", "invalid name"},
		{"till a/pot/c", "", "unknown kind"},
		{"till //", "", "invalid name"},
		{"till shop/web GET /x extra", "", "unexpected argument"},
		{"till shop/web", "nothing", "invalid header"},
		{"till shop/web GET buy", "", "a path begins with /: use /buy instead of buy"},
		{"till shop/web FOO /", "", "\"FOO\" is not a method of HTTP: use one of GET, HEAD"},
		{"till shop/web buy", "", "or a path that begins with /"},
		{"till http:///x", "", "invalid URL"},
	}
	for _, test := range tests {
		t.Run(test.args+test.header, func(t *testing.T) {
			var headers []string
			if test.header != "" {
				headers = []string{test.header}
			}
			_, err := explain.ParseQuestion(strings.Fields(test.args), headers, "mine")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v: it should say %q", err, test.want)
			}
		})
	}
}
