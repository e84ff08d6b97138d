package redirect

import (
	"net/netip"
	"slices"
)

// disjoint are the prefixes of one address family, sorted, without any that another one contains: the kernel refuses
// overlapping elements in a set.
func disjoint(prefixes []netip.Prefix, v6 bool) []netip.Prefix {
	var family []netip.Prefix
	for _, p := range prefixes {
		if p = unmapped(p); p.Addr().Is6() == v6 {
			family = append(family, p.Masked())
		}
	}
	// Of two prefixes with the same first address, the wider sorts first.
	slices.SortFunc(family, netip.Prefix.Compare)
	var kept []netip.Prefix
	for _, p := range family {
		if len(kept) == 0 || !kept[len(kept)-1].Overlaps(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// unmapped turns an IPv4 range that is written as IPv6 (::ffff:10.0.0.0/104) into the IPv4 range it is.
func unmapped(p netip.Prefix) netip.Prefix {
	const mappedBits = 96
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}

// lastOf is the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
