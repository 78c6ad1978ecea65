package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
)

// plot is a chart with lines, both axes logarithmic.
type plot struct {
	file, title, x, y string
	lines             []line
}

type line struct {
	name   string
	points []point // by x
}

// point is a median with the range around it.
type point struct{ x, y, low, high float64 }

const (
	plotWidth, plotHeight           = 960.0, 490.0
	plotLeft, plotTop               = 70.0, 50.0
	plotRight, plotBottom           = 330.0, 50.0 // the right margin holds the names
	labelHeight                     = 16.0
	plotInnerWidth, plotInnerHeight = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
)

func colour(i int) string {
	colours := []string{"#444444", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf", "#bcbd22"}
	return colours[i%len(colours)]
}

func (p *plot) svg() []byte {
	minX, maxX, minY, maxY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range p.lines {
		for _, pt := range l.points {
			minX, maxX = min(minX, pt.x), max(maxX, pt.x)
			minY, maxY = min(minY, pt.low), max(maxY, pt.high)
		}
	}
	minY, maxY = math.Pow(10, math.Floor(math.Log10(minY))), math.Pow(10, math.Ceil(math.Log10(maxY)))
	toX := func(v float64) float64 {
		if maxX == minX {
			return plotLeft
		}
		return plotLeft + plotInnerWidth*math.Log(v/minX)/math.Log(maxX/minX)
	}
	toY := func(v float64) float64 { return plotTop + plotInnerHeight*(1-math.Log(v/minY)/math.Log(maxY/minY)) }

	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="white"/>`+"\n", plotWidth, plotHeight)
	text := func(x, y float64, anchor, fill, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">`, x, y, anchor, fill)
		_ = xml.EscapeText(&b, []byte(s)) // a Buffer never fails
		b.WriteString("</text>\n")
	}
	rule := func(x1, y1, x2, y2 float64, style string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, style)
	}
	text(plotLeft, 20, "start", "black", p.title)
	text(plotLeft+plotInnerWidth/2, plotHeight-12, "middle", "black", p.x)
	text(plotLeft-6, plotTop-12, "end", "black", p.y)
	for v := minY; v <= maxY*1.01; v *= 10 {
		rule(plotLeft, toY(v), plotLeft+plotInnerWidth, toY(v), `stroke="#dddddd"`)
		text(plotLeft-6, toY(v)+4, "end", "black", figure(v))
	}
	var xs []float64
	for _, l := range p.lines {
		for _, pt := range l.points {
			xs = append(xs, pt.x)
		}
	}
	slices.Sort(xs)
	for _, x := range slices.Compact(xs) {
		rule(toX(x), plotTop, toX(x), plotTop+plotInnerHeight, `stroke="#eeeeee"`)
		text(toX(x), plotTop+plotInnerHeight+18, "middle", "black", figure(x))
	}
	type label struct {
		i int
		y float64
	}
	var labels []label
	for i, l := range p.lines {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour(i))
		for _, pt := range l.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", toX(pt.x), toY(pt.y))
		}
		b.WriteString("\"/>\n")
		for _, pt := range l.points {
			rule(toX(pt.x), toY(pt.low), toX(pt.x), toY(pt.high), fmt.Sprintf(`stroke="%s"`, colour(i)))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", toX(pt.x), toY(pt.y), colour(i))
		}
		if n := len(l.points); n > 0 {
			labels = append(labels, label{i, toY(l.points[n-1].y)})
		}
	}
	// Names stand at the ends of their lines, pushed down where they would overlap.
	slices.SortFunc(labels, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	for i := range labels {
		if i > 0 {
			labels[i].y = max(labels[i].y, labels[i-1].y+labelHeight)
		}
		text(plotLeft+plotInnerWidth+10, labels[i].y+4, "start", colour(labels[i].i), p.lines[labels[i].i].name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
