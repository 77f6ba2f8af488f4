/* The lower limit: a loop around libzmq's receive call. Usage: rawloop ENDPOINT TOPIC COUNT
   Prints "received" after COUNT messages and runs until it is stopped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_SUB);
    int mark = 1000; /* that of the input */
    zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, argv[2], strlen(argv[2]));
    if (zmq_connect(socket, argv[1]) != 0) {
        perror("rawloop");
        return 1;
    }
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    for (long count = atol(argv[3]), received = 1;; received++) {
        do {
            if (zmq_msg_recv(&frame, socket, 0) < 0) {
                perror("rawloop");
                return 1;
            }
        } while (zmq_msg_more(&frame));
        if (received == count) {
            puts("received");
            fflush(stdout);
        }
    }
}
