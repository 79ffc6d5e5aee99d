// Go's net/http with gorilla/websocket.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

type message struct {
	Message string `json:"message"`
}

type parameters struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

var (
	plain    = websocket.Upgrader{}
	deflated = websocket.Upgrader{EnableCompression: true}

	lock        sync.Mutex
	subscribers = map[*websocket.Conn]struct{}{}
)

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(body)
}

func echo(upgrader *websocket.Upgrader) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer socket.Close()
		for {
			kind, bytes, err := socket.ReadMessage()
			if err != nil || socket.WriteMessage(kind, bytes) != nil {
				return
			}
		}
	}
}

func subscribe(w http.ResponseWriter, r *http.Request) {
	socket, err := plain.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	lock.Lock()
	subscribers[socket] = struct{}{}
	lock.Unlock()
	for {
		if _, _, err := socket.NextReader(); err != nil {
			lock.Lock()
			delete(subscribers, socket)
			lock.Unlock()
			return
		}
	}
}

// publish writes one prepared message to every subscriber, 500 times, 100 per second.
func publish() {
	text := []byte(strings.Repeat("0123456789", 10))
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for round := 0; round < 500; round++ {
		<-ticks.C
		prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
		if err != nil {
			return
		}
		lock.Lock()
		for socket := range subscribers {
			socket.WritePreparedMessage(prepared)
		}
		lock.Unlock()
	}
}

func main() {
	host := flag.String("host", "127.0.0.1", "address")
	port := flag.Int("port", 8080, "port")
	threads := flag.Int("threads", 1, "GOMAXPROCS")
	folder := flag.String("static", "", "folder of /static/")
	certificate := flag.String("tls-certificate", "", "PEM file")
	key := flag.String("tls-key", "", "PEM file")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)

	mux := http.NewServeMux()
	mux.HandleFunc("/plaintext", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, World!")
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, message{"Hello, World!"})
	})
	mux.HandleFunc("/params/", func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/params/"), "/")
		if len(parts) != 2 {
			http.NotFound(w, r)
			return
		}
		answerJSON(w, parameters{parts[0], parts[1]})
	})
	mux.HandleFunc("/collect", func(w http.ResponseWriter, r *http.Request) {
		count, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		io.WriteString(w, strconv.FormatInt(count, 10))
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		// net/http closes the request body at the first write, unless full duplex is enabled.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Write(body)
	})
	mux.HandleFunc("/ws", echo(&plain))
	mux.HandleFunc("/wsd", echo(&deflated))
	mux.HandleFunc("/sub", subscribe)
	mux.HandleFunc("/bcast", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ok")
		go publish()
	})
	if *folder != "" {
		mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir(*folder))))
	}
	address := fmt.Sprintf("%s:%d", *host, *port)
	fmt.Printf("listening on http://%s\n", address)
	serve := func() error { return http.ListenAndServe(address, mux) }
	if *certificate != "" {
		// HTTP/2 and HTTP/1.1, by ALPN.
		serve = func() error { return http.ListenAndServeTLS(address, *certificate, *key, mux) }
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
