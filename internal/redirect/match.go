package redirect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// A part is a piece of a rule: what nft would print for it, the kernel's form of it, and the set it looks up, if any.
// Text and kernel form stand side by side, so that neither says what the other does not.
type part struct {
	text  string
	exprs []expr.Any
	set   *set
}

// A set is the values that one rule looks up.
type set struct {
	keyType  nftables.SetDatatype
	interval bool
	elements []nftables.SetElement
	// lookup is completed with the set's name and id when the set is added to the kernel.
	lookup *expr.Lookup
}

// register is where all parts put the value they compare.
const register = 1

func compare(op expr.CmpOp, data []byte) expr.Any {
	return &expr.Cmp{Op: op, Register: register, Data: data}
}

func load(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: register} }

func isTCP() part {
	return part{text: "meta l4proto tcp", exprs: []expr.Any{load(expr.MetaKeyL4PROTO), compare(expr.CmpOpEq, []byte{unix.IPPROTO_TCP})}}
}

// device matches the device a packet comes from or leaves by.
func device(key expr.MetaKey, name string) part {
	word := "oifname"
	if key == expr.MetaKeyIIFNAME {
		word = "iifname"
	}
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	return part{text: fmt.Sprintf("%s %q", word, name), exprs: []expr.Any{load(key), compare(expr.CmpOpEq, data)}}
}

// sidecar matches packets of the sidecar's user.
func sidecar() part {
	return part{text: fmt.Sprintf("meta skuid %d", names.ProxyUID), exprs: []expr.Any{load(expr.MetaKeySKUID), compare(expr.CmpOpEq, proxyUID())}}
}

// application matches packets of every other user.
func application() part {
	return part{text: fmt.Sprintf("meta skuid != %d", names.ProxyUID), exprs: []expr.Any{load(expr.MetaKeySKUID), compare(expr.CmpOpNeq, proxyUID())}}
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

// to matches one destination address, notTo every other one of its family.
func to(address netip.Addr) part    { return toAddress(address, expr.CmpOpEq, "") }
func notTo(address netip.Addr) part { return toAddress(address, expr.CmpOpNeq, "!= ") }

func toAddress(address netip.Addr, op expr.CmpOp, sign string) part {
	word, exprs := destination(address.Is6())
	return part{text: fmt.Sprintf("%s %s%s", word, sign, address), exprs: append(exprs, compare(op, address.AsSlice()))}
}

// within matches destinations in ranges of one family. The ranges do not overlap.
func within(ranges []netip.Prefix, v6 bool) part {
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
		// The kernel marks the first address after a range; after the last address of all there is none.
		if after := lastOf(r).Next(); after.IsValid() {
			s.elements = append(s.elements, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
		}
	}
	return part{text: word + " { " + strings.Join(texts, ", ") + " }", exprs: append(exprs, s.lookup), set: s}
}

// rangeText leaves out the length of a prefix that is a single address, as nft does.
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

// port matches one destination port, notPort every other one.
func port(p uint16) part    { return onePort(p, expr.CmpOpEq, "") }
func notPort(p uint16) part { return onePort(p, expr.CmpOpNeq, "!= ") }

func onePort(p uint16, op expr.CmpOp, sign string) part {
	data := binaryutil.BigEndian.PutUint16(p)
	return part{text: fmt.Sprintf("tcp dport %s%d", sign, p), exprs: append(loadPort(), compare(op, data))}
}

// ports matches destination ports, sorted and without duplicates.
func ports(list []uint16) part {
	s := &set{keyType: nftables.TypeInetService, lookup: &expr.Lookup{SourceRegister: register}}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = fmt.Sprint(p)
		s.elements = append(s.elements, nftables.SetElement{Key: binaryutil.BigEndian.PutUint16(p)})
	}
	return part{text: "tcp dport { " + strings.Join(texts, ", ") + " }", exprs: append(loadPort(), s.lookup), set: s}
}

func verdict(kind expr.VerdictKind, text, chain string) part {
	if chain != "" {
		text += " " + chain
	}
	return part{text: text, exprs: []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}}
}

func accept() part            { return verdict(expr.VerdictAccept, "accept", "") }
func leave() part             { return verdict(expr.VerdictReturn, "return", "") }
func jump(chain string) part  { return verdict(expr.VerdictJump, "jump", chain) }
func enter(chain string) part { return verdict(expr.VerdictGoto, "goto", chain) }

// redirectTo sends the connection to a port of this network namespace.
func redirectTo(p uint16) part {
	return part{text: fmt.Sprintf("redirect to :%d", p), exprs: []expr.Any{
		&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(p)},
		&expr.Redir{RegisterProtoMin: register},
	}}
}

// translateTo sends the connection to the same port of another IPv4 address.
func translateTo(address netip.Addr) part {
	return part{text: "dnat ip to " + address.String(), exprs: []expr.Any{
		&expr.Immediate{Register: register, Data: address.AsSlice()},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: register},
	}}
}
