package report

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Dimensions of the plot in pixels.
const (
	panelWidth, panelHeight = 430, 300
	marginLeft, marginTop   = 70, 50
	gap                     = 90
	legendHeight            = 60
)

// colours are the colors of the variants, in order.
var colours = []string{"#1b6ca8", "#7a7a7a", "#c8553d", "#e0a030", "#4c956c"}

// Plot draws the CPU time of an endpoint change over the size of the mesh as SVG, with one panel for each mode and logarithmic axes.
func (r *Run) Plot(w io.Writer) error {
	var svg strings.Builder
	modes := map[string][]int{}
	var order []string
	for _, s := range r.shapes() {
		if modes[s.mode] == nil {
			order = append(order, s.mode)
		}
		modes[s.mode] = append(modes[s.mode], s.sidecars)
	}
	width := marginLeft + len(order)*(panelWidth+gap)
	height := marginTop + panelHeight + 50 + legendHeight
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	for i, mode := range order {
		r.panel(&svg, marginLeft+i*(panelWidth+gap), mode, modes[mode])
	}
	for i, v := range r.variants() {
		x, y := marginLeft+i*210, height-25
		fmt.Fprintf(&svg, `<circle cx="%d" cy="%d" r="5" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			x, y-4, colours[i%len(colours)], x+12, y, v)
	}
	svg.WriteString("</svg>\n")
	_, err := io.WriteString(w, svg.String())
	return err
}

// axis maps a range of values to pixels on a logarithmic scale.
type axis struct{ low, high, from, to float64 }

func (a axis) at(v float64) float64 {
	return a.from + (math.Log(v)-math.Log(a.low))/(math.Log(a.high)-math.Log(a.low))*(a.to-a.from)
}

// panel draws one mode.
func (r *Run) panel(svg *strings.Builder, left int, mode string, sizes []int) {
	metric := Of(kinds[0], ChangeCPU)
	low, high := math.Inf(1), 0.0
	for _, result := range r.Results {
		if v := result.Values[metric] * 1e3; result.Mode == mode && v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		return
	}
	low, high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)+1e-9))
	x := axis{float64(sizes[0]) * 0.8, float64(sizes[len(sizes)-1]) * 1.2, float64(left), float64(left + panelWidth)}
	y := axis{low, high, marginTop + panelHeight, marginTop}
	fmt.Fprintf(svg, `<text x="%d" y="%d" font-size="14" font-weight="bold">%s: CPU of an endpoint change, ms</text>`+"\n", left, marginTop-18, mode)
	for v := low; v <= high*1.001; v *= 10 {
		fmt.Fprintf(svg, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left, left+panelWidth, y.at(v), y.at(v), left-8, y.at(v)+4, v)
	}
	for _, size := range sizes {
		fmt.Fprintf(svg, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x.at(float64(size)), marginTop+panelHeight+20, size)
	}
	fmt.Fprintf(svg, `<text x="%d" y="%d" text-anchor="middle">sidecars</text>`+"\n", left+panelWidth/2, marginTop+panelHeight+38)
	for i, v := range r.variants() {
		var points []string
		for _, size := range sizes {
			result, _ := r.find(v, mode, size)
			if value := result.Values[metric] * 1e3; value > 0 {
				px, py := x.at(float64(size)), y.at(value)
				points = append(points, fmt.Sprintf("%.1f,%.1f", px, py))
				fmt.Fprintf(svg, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", px, py, colours[i%len(colours)])
			}
		}
		fmt.Fprintf(svg, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colours[i%len(colours)])
	}
}
