package redirect

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// ruleCases returns one case for each setting, and one with all of them.
func ruleCases() map[string]Config {
	podIPs := []netip.Addr{netip.MustParseAddr("fd00::7"), netip.MustParseAddr("10.244.0.7")}
	return map[string]Config{
		"plain":            {},
		"inbound-ports":    {ExcludeInboundPorts: []uint16{9090, 22, 9090}},
		"outbound-ports":   {ExcludeOutboundPorts: []uint16{16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"excluded-ranges":  {ExcludeOutboundRanges: prefixes("10.1.2.3/8", "10.5.0.0/16", "255.255.255.255/32", "2001:db8::/32")},
		"included-ranges":  {IncludeOutboundRanges: prefixes("10.96.0.0/12", "fd00:10:96::/112")},
		"interfaces":       {ExcludeInterfaces: []string{"net1", "eth1"}},
		"extra-probe-port": {ProbePorts: []uint16{15906}},
		"to-pod-ip":        {ToPodIP: true, PodIPs: podIPs},
		"resolvers":        {Resolvers: []netip.Addr{netip.MustParseAddr("10.96.0.10"), netip.MustParseAddr("fd96::a")}},
		"redirected-dns":   {RedirectDNS: true, Resolvers: []netip.Addr{netip.MustParseAddr("10.96.0.10")}},
		"everything": {
			ExcludeInboundPorts: []uint16{22}, ExcludeOutboundPorts: []uint16{6379}, ExcludeInterfaces: []string{"net1"},
			ExcludeOutboundRanges: prefixes("169.254.169.254/32"), IncludeOutboundRanges: prefixes("0.0.0.0/0"), ToPodIP: true, PodIPs: podIPs,
		},
	}
}

func TestRulesGolden(t *testing.T) {
	for name, config := range ruleCases() {
		t.Run(name, func(t *testing.T) {
			lines, err := Rules(config)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(lines, "\n") + "\n"
			path := filepath.Join("testdata", name+".txt")
			golden.Compare(t, path, []byte(got))
		})
	}
}

func TestRules_RejectInvalidConfig(t *testing.T) {
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"port 0":         {Config{ExcludeInboundPorts: []uint16{0}}, "port 0 cannot be excluded"},
		"empty range":    {Config{IncludeOutboundRanges: []netip.Prefix{{}}}, "is not an IP range"},
		"long interface": {Config{ExcludeInterfaces: []string{"a-name-too-long-for-linux"}}, "is not the name of a network interface"},
		"no IPv4":        {Config{ToPodIP: true, PodIPs: []netip.Addr{netip.MustParseAddr("fd00::7")}}, "has no IPv4 address"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Rules(test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestDisjoint_CoversSameAddresses checks that random addresses are in the input exactly if they are in the output.
func TestDisjoint_CoversSameAddresses(t *testing.T) {
	contains := func(list []netip.Prefix, address netip.Addr) bool {
		for _, p := range list {
			if p.Contains(address) {
				return true
			}
		}
		return false
	}
	rapid.Check(t, func(t *rapid.T) {
		// Addresses with few random bits make ranges overlap often.
		address := rapid.Custom(func(t *rapid.T) netip.Addr {
			return netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "third") & 3, rapid.Byte().Draw(t, "fourth") & 7})
		})
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			return netip.PrefixFrom(address.Draw(t, "address"), rapid.IntRange(20, 32).Draw(t, "bits"))
		})
		list := rapid.SliceOf(prefix).Draw(t, "list")
		kept := disjoint(list, false)
		for i, p := range kept {
			if i > 0 && !lastOf(kept[i-1]).Less(p.Addr()) {
				t.Fatalf("%s and %s overlap or are out of order", kept[i-1], p)
			}
		}
		drawn := address.Draw(t, "drawn")
		if contains(list, drawn) != contains(kept, drawn) {
			t.Fatalf("%s matches only one of %s and %s", drawn, list, kept)
		}
	})
}
