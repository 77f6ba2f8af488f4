package liveness

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of what clients can make the server do.
const (
	maxConnections = 512
	maxHeaderBytes = 16 << 10
	readTimeout    = 10 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = time.Minute
)

// policy lets the page load nothing but its own files, and nobody show it in a frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed page
var pageFiles embed.FS

// serve begins to listen.
func (l *Liveness) serve() error {
	listener, err := net.Listen("tcp", l.Listen)
	if err != nil {
		return fmt.Errorf("listening on %q: %w; stop what uses it, or change the option \"listen\"", l.Listen, err)
	}
	l.listener = listener
	scheme := "http"
	serving := netutil.LimitListener(listener, maxConnections)
	if l.tls != nil {
		scheme = "https"
		serving = tls.NewListener(serving, l.tls)
	}
	l.streams = newStreams(l.show)
	l.server = &http.Server{
		Handler:        l.handler(),
		MaxHeaderBytes: maxHeaderBytes,
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		ErrorLog:       log.New(io.Discard, "", 0), // any client could fill Telegraf's log
	}
	l.wg.Go(l.streams.run)
	l.wg.Go(func() {
		if err := l.server.Serve(serving); !errors.Is(err, http.ErrServerClosed) {
			l.Log.Errorf("The status page is not served any more: %v; restart Telegraf", err)
		}
	})
	l.Log.Infof("The status page is at %s://%s", scheme, listener.Addr())
	if l.open() {
		l.Log.Warnf("Everybody who can reach %s can read the status page; set basic_username and basic_password, or tls_allowed_cacerts",
			listener.Addr())
	}
	return nil
}

// open reports whether the page can be read from other hosts without a password or a certificate.
func (l *Liveness) open() bool {
	return !l.loopback() && l.BasicUsername == "" && len(l.TLSAllowedCACerts) == 0
}

// loopback reports whether only this host can connect.
func (l *Liveness) loopback() bool {
	host, _, _ := net.SplitHostPort(l.listener.Addr().String())
	return net.ParseIP(host).IsLoopback()
}

// meant reports whether a request, by its header "Host", was meant for this server. Any web page can have the name of its
// own server mean 127.0.0.1 and read, in the browser of somebody on this host, what needs no password. With TLS the
// certificate has another name.
func (l *Liveness) meant(r *http.Request) bool {
	if !l.loopback() || l.tls != nil || l.BasicUsername != "" {
		return true
	}
	host := (&url.URL{Host: r.Host}).Hostname()
	listen, _, _ := net.SplitHostPort(l.Listen)
	return host == "" || // of no browser
		net.ParseIP(host) != nil || strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || strings.EqualFold(host, listen)
}

// handler answers all requests. It only reads.
func (l *Liveness) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/components", l.answer(func(s *shown) []byte { return s.components() }))
	mux.HandleFunc("GET /api/v1/gaps", l.answer(func(s *shown) []byte { return s.gaps() }))
	mux.HandleFunc("GET /api/v1/events", l.answer(func(s *shown) []byte { return s.events() }))
	mux.HandleFunc("GET /healthz", l.health)
	mux.HandleFunc("GET /stream", l.streams.stream)
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux.Handle("GET /", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if !l.meant(r) {
			http.Error(w, fmt.Sprintf("%q does not name this server; use 127.0.0.1 or localhost, or set basic_username and basic_password", r.Host),
				http.StatusMisdirectedRequest)
			return
		}
		if !l.allowed(r) {
			header.Set("WWW-Authenticate", `Basic realm="liveness"`)
			http.Error(w, "the user name or the password is wrong", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// allowed compares user name and password with the options.
func (l *Liveness) allowed(r *http.Request) bool {
	if l.BasicUsername == "" {
		return true
	}
	name, password, _ := r.BasicAuth()
	// Of the sums, so that the time says nothing about the length.
	return sameText(name, l.BasicUsername)&sameText(password, l.password) == 1
}

func sameText(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
