package redirect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// matcher is a part of a rule: its nft syntax, its kernel expressions and the set that it looks up, if any.
// One constructor produces both forms, so that they cannot differ.
type matcher struct {
	text  string
	exprs []expr.Any
	set   *set
}

// set holds the values that one rule looks up.
type set struct {
	keyType  nftables.SetDatatype
	interval bool
	elements []nftables.SetElement
	// lookup gets the name and id of the set when the set is added to the kernel.
	lookup *expr.Lookup
}

// register is the register that every expression loads and compares.
const register = 1

func compare(op expr.CmpOp, data []byte) expr.Any {
	return &expr.Cmp{Op: op, Register: register, Data: data}
}

func load(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: register} }

func isTCP() matcher {
	return matcher{text: "meta l4proto tcp", exprs: []expr.Any{load(expr.MetaKeyL4PROTO), compare(expr.CmpOpEq, []byte{unix.IPPROTO_TCP})}}
}

// isInvalid matches packets that connection tracking cannot assign.
func isInvalid() matcher {
	return matcher{text: "ct state invalid", exprs: []expr.Any{
		&expr.Ct{Register: register, Key: expr.CtKeySTATE},
		&expr.Bitwise{
			SourceRegister: register, DestRegister: register, Len: 4,
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitINVALID), Xor: binaryutil.NativeEndian.PutUint32(0),
		},
		compare(expr.CmpOpNeq, binaryutil.NativeEndian.PutUint32(0)),
	}}
}

// device matches the incoming or outgoing network interface.
func device(key expr.MetaKey, name string) matcher {
	word := "oifname"
	if key == expr.MetaKeyIIFNAME {
		word = "iifname"
	}
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	return matcher{text: fmt.Sprintf("%s %q", word, name), exprs: []expr.Any{load(key), compare(expr.CmpOpEq, data)}}
}

// sidecar matches packets of the sidecar's user.
func sidecar() matcher {
	return matcher{text: fmt.Sprintf("meta skuid %d", names.ProxyUID), exprs: []expr.Any{load(expr.MetaKeySKUID), compare(expr.CmpOpEq, proxyUID())}}
}

// application matches packets of every other user.
func application() matcher {
	return matcher{text: fmt.Sprintf("meta skuid != %d", names.ProxyUID), exprs: []expr.Any{load(expr.MetaKeySKUID), compare(expr.CmpOpNeq, proxyUID())}}
}

func proxyUID() []byte { return binaryutil.NativeEndian.PutUint32(names.ProxyUID) }

// destination loads the destination address of one family.
func destination(v6 bool) (word string, exprs []expr.Any) {
	family, offset, length := byte(unix.NFPROTO_IPV4), uint32(16), uint32(4)
	word = "ip daddr"
	if v6 {
		family, offset, length = unix.NFPROTO_IPV6, 24, 16
		word = "ip6 daddr"
	}
	return word, []expr.Any{
		load(expr.MetaKeyNFPROTO), compare(expr.CmpOpEq, []byte{family}),
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
	}
}

// to matches one destination address, notTo every other address of its family.
func to(address netip.Addr) matcher    { return matchAddress(address, expr.CmpOpEq, "") }
func notTo(address netip.Addr) matcher { return matchAddress(address, expr.CmpOpNeq, "!= ") }

func matchAddress(address netip.Addr, op expr.CmpOp, sign string) matcher {
	word, exprs := destination(address.Is6())
	return matcher{text: fmt.Sprintf("%s %s%s", word, sign, address), exprs: append(exprs, compare(op, address.AsSlice()))}
}

// within matches destinations in ranges of one family. The ranges must not overlap.
func within(ranges []netip.Prefix, v6 bool) matcher {
	word, exprs := destination(v6)
	keyType := nftables.TypeIPAddr
	if v6 {
		keyType = nftables.TypeIP6Addr
	}
	s := &set{keyType: keyType, interval: true, lookup: &expr.Lookup{SourceRegister: register}}
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = rangeText(r)
		s.elements = append(s.elements, nftables.SetElement{Key: r.Addr().AsSlice()})
		// An interval set marks the first address after a range. The last address of the family has no successor.
		if after := lastOf(r).Next(); after.IsValid() {
			s.elements = append(s.elements, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
		}
	}
	return matcher{text: word + " { " + strings.Join(texts, ", ") + " }", exprs: append(exprs, s.lookup), set: s}
}

// rangeText omits the prefix length of a single address, as nft does.
func rangeText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func loadPort() []expr.Any {
	return []expr.Any{
		load(expr.MetaKeyL4PROTO), compare(expr.CmpOpEq, []byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
	}
}

// port matches one destination port.
func port(p uint16) matcher { return matchPort(p, expr.CmpOpEq, "") }

// notPort matches every destination port except one.
func notPort(p uint16) matcher { return matchPort(p, expr.CmpOpNeq, "!= ") }

func matchPort(p uint16, op expr.CmpOp, sign string) matcher {
	data := binaryutil.BigEndian.PutUint16(p)
	return matcher{text: fmt.Sprintf("tcp dport %s%d", sign, p), exprs: append(loadPort(), compare(op, data))}
}

// ports matches destination ports, sorted and without duplicates.
func ports(list []uint16) matcher {
	s := &set{keyType: nftables.TypeInetService, lookup: &expr.Lookup{SourceRegister: register}}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = fmt.Sprint(p)
		s.elements = append(s.elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(p)})
	}
	return matcher{text: "tcp dport { " + strings.Join(texts, ", ") + " }", exprs: append(loadPort(), s.lookup), set: s}
}

func verdict(kind expr.VerdictKind, text, chain string) matcher {
	if chain != "" {
		text += " " + chain
	}
	return matcher{text: text, exprs: []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}}
}

func drop() matcher             { return verdict(expr.VerdictDrop, "drop", "") }
func returnVerdict() matcher    { return verdict(expr.VerdictReturn, "return", "") }
func jump(chain string) matcher { return verdict(expr.VerdictJump, "jump", chain) }
func goTo(chain string) matcher { return verdict(expr.VerdictGoto, "goto", chain) }

// redirectTo redirects the connection to a local port.
func redirectTo(p uint16) matcher {
	return matcher{text: fmt.Sprintf("redirect to :%d", p), exprs: []expr.Any{
		&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(p)},
		&expr.Redir{RegisterProtoMin: register},
	}}
}

// translateTo redirects the connection to the same port of another IPv4 address.
func translateTo(address netip.Addr) matcher {
	return matcher{text: "dnat ip to " + address.String(), exprs: []expr.Any{
		&expr.Immediate{Register: register, Data: address.AsSlice()},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: register},
	}}
}
